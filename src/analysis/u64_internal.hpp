#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sensus::analysis {

/// Eight bytes, the lowest first, whatever the machine.
inline void append_u64(std::string& out, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) {
    out.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
  }
}

/// The first eight bytes; there must be so many.
[[nodiscard]] inline std::uint64_t read_u64(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return value;
}

}  // namespace sensus::analysis
