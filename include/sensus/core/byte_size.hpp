#pragma once

#include "sensus/core/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace sensus {

/// A number of bytes; in configuration written as `64MiB`, `512KiB`, `1GiB`, `100B`.
struct ByteSize {
  std::size_t bytes = 0;
  friend auto operator<=>(ByteSize, ByteSize) = default;
};

[[nodiscard]] Result<ByteSize> parse_byte_size(std::string_view text);
/// The largest unit that divides exactly.
[[nodiscard]] std::string render_byte_size(ByteSize size);

constexpr ByteSize operator""_KiB(unsigned long long n) { return {static_cast<std::size_t>(n) << 10}; }
constexpr ByteSize operator""_MiB(unsigned long long n) { return {static_cast<std::size_t>(n) << 20}; }

}  // namespace sensus
