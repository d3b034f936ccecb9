#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sensus {

/// Offset of the first byte that is not part of well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms,
/// at most U+10FFFF), or npos.
[[nodiscard]] std::size_t find_invalid_utf8(std::string_view text) noexcept;
[[nodiscard]] inline bool is_utf8(std::string_view text) noexcept {
  return find_invalid_utf8(text) == std::string_view::npos;
}

/// Bytes of the sequence that begins with `lead`, if it is well-formed.
[[nodiscard]] constexpr std::size_t utf8_length(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0x80) {
    return 1;
  }
  if (byte < 0xE0) {
    return 2;
  }
  return byte < 0xF0 ? 3 : 4;
}
/// The code point of one well-formed sequence.
[[nodiscard]] std::uint32_t decode_utf8(std::string_view sequence) noexcept;

}  // namespace sensus
