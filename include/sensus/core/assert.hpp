#pragma once

namespace sensus {
/// Prints the broken invariant to stderr and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;
}  // namespace sensus

/// For bugs only, active in every build; outside input never triggers it.
#define SENSUS_ASSERT(expr) \
  (static_cast<bool>(expr) ? static_cast<void>(0) : ::sensus::assertion_failed(#expr, __FILE__, __LINE__))
