#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sensus::ml {

/// FNV-1a 64: finds accidents, not forgeries; readers check every value besides.
[[nodiscard]] inline std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return hash;
}

/// Little-endian fields, whatever the machine.
class ByteWriter {
 public:
  void u16(std::uint16_t v) { append(v, 2); }
  void u32(std::uint32_t v) { append(v, 4); }
  void u64(std::uint64_t v) { append(v, 8); }
  void f32(float v) { u32(std::bit_cast<std::uint32_t>(v)); }
  void f64(double v) { u64(std::bit_cast<std::uint64_t>(v)); }
  void text(std::string_view v) { bytes_.append(v); }
  /// Ends the record with the checksum of all before it.
  [[nodiscard]] std::string finish() && {
    u64(checksum(bytes_));
    return std::move(bytes_);
  }

 private:
  void append(std::uint64_t v, int size) {
    for (int i = 0; i < size; ++i) {
      bytes_.push_back(static_cast<char>((v >> (8 * i)) & 0xFFU));
    }
  }
  std::string bytes_;
};

/// Reads what ByteWriter wrote. Past the end every read gives 0 and `ok` stays false: check it before trusting a count.
class ByteReader {
 public:
  /// Checks the checksum; `ok` is false when it does not hold.
  explicit ByteReader(std::string_view record) {
    if (record.size() < 8) {
      ok_ = false;
      return;
    }
    rest_ = record.substr(record.size() - 8);
    const std::uint64_t expected = u64();
    rest_ = record.substr(0, record.size() - 8);
    ok_ = checksum(rest_) == expected;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && rest_.empty(); }
  [[nodiscard]] std::size_t remaining() const { return rest_.size(); }

  std::uint16_t u16() { return static_cast<std::uint16_t>(take(2)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(take(4)); }
  std::uint64_t u64() { return take(8); }
  float f32() { return std::bit_cast<float>(u32()); }
  double f64() { return std::bit_cast<double>(u64()); }
  std::string_view text(std::size_t size) {
    if (!ok_ || rest_.size() < size) {
      ok_ = false;
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

 private:
  std::uint64_t take(std::size_t size) {
    const std::string_view field = text(size);
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < field.size(); ++i) {
      v |= static_cast<std::uint64_t>(static_cast<unsigned char>(field[i])) << (8 * i);
    }
    return v;
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// Hostile bytes must not smuggle in numbers whose squares overflow.
[[nodiscard]] inline bool is_bounded(double v) { return std::abs(v) <= 1e33; }

}  // namespace sensus::ml
