#include "sensus/codec/model_json.hpp"

#include <array>
#include <cstdint>

namespace sensus::codec {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kVersion = 1;
// Version, time in microseconds, id, and one byte that makes a damaged cursor show: 18 bytes are 24 characters exactly.
constexpr std::size_t kBytes = 18;
constexpr std::size_t kCharacters = 24;
using Bytes = std::array<std::uint8_t, kBytes>;

void put(Bytes& bytes, std::size_t at, std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[at + i] = static_cast<std::uint8_t>(bits >> (56 - 8 * i));
  }
}

std::int64_t get(const Bytes& bytes, std::size_t at) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    bits = bits << 8U | bytes[at + i];
  }
  return static_cast<std::int64_t>(bits);
}

std::uint8_t check_byte(const Bytes& bytes) {
  unsigned sum = 0xA5;
  for (std::size_t i = 0; i + 1 < kBytes; ++i) {
    sum = (sum * 31 + bytes[i]) & 0xFFU;
  }
  return static_cast<std::uint8_t>(sum);
}

}  // namespace

std::string render_cursor(const model::PageKey& key) {
  Bytes bytes{};
  bytes[0] = kVersion;
  put(bytes, 1, to_unix_us(key.time));
  put(bytes, 9, key.id);
  bytes[kBytes - 1] = check_byte(bytes);
  std::string out;
  out.reserve(kCharacters);
  for (std::size_t i = 0; i < kBytes; i += 3) {
    const auto group = static_cast<unsigned>(bytes[i] << 16U | bytes[i + 1] << 8U | bytes[i + 2]);
    for (unsigned shift : {18U, 12U, 6U, 0U}) {
      out.push_back(kAlphabet[group >> shift & 0x3FU]);
    }
  }
  return out;
}

std::optional<model::PageKey> parse_cursor(std::string_view text) {
  if (text.size() != kCharacters) {
    return std::nullopt;
  }
  Bytes bytes{};
  for (std::size_t i = 0; i < kCharacters; i += 4) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t digit = kAlphabet.find(text[i + k]);
      if (digit == std::string_view::npos) {
        return std::nullopt;
      }
      group = group << 6U | static_cast<unsigned>(digit);
    }
    const std::size_t at = i / 4 * 3;
    bytes[at] = static_cast<std::uint8_t>(group >> 16U);
    bytes[at + 1] = static_cast<std::uint8_t>(group >> 8U);
    bytes[at + 2] = static_cast<std::uint8_t>(group);
  }
  if (bytes[0] != kVersion || bytes[kBytes - 1] != check_byte(bytes)) {
    return std::nullopt;
  }
  return model::PageKey{from_unix_us(get(bytes, 1)), get(bytes, 9)};
}

}  // namespace sensus::codec
