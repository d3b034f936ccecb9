#pragma once

#include "sensus/core/assert.hpp"
#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"
#include "sensus/core/utf8.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);

namespace sensus::fuzz {

inline std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

/// 2026-06-01T12:00:00Z, around which the corpus lies.
inline Timestamp now() { return from_unix_us(1'780'315'200'000'000); }

/// What an error must be to stand in an answer.
inline void check_error(const Error& error) {
  SENSUS_ASSERT(!error.message.empty() && is_utf8(error.message) && is_utf8(error.field));
  SENSUS_ASSERT(error.message.size() < 1000 && error.field.size() < 1000);
}

}  // namespace sensus::fuzz
