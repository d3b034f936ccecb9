#pragma once

#include <bit>
#include <cstdint>

namespace sensus::codec {

/// The one NaN that says that a series ended,
/// https://prometheus.io/docs/specs/prw/remote_write_spec/. Other NaNs are values.
inline constexpr std::uint64_t kStaleMarker = 0x7ff0000000000002ULL;

[[nodiscard]] inline bool is_stale_marker(double value) {
  return std::bit_cast<std::uint64_t>(value) == kStaleMarker;
}

}  // namespace sensus::codec
