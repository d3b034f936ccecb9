#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace sensus::codec {

/// Wire types 3 and 4 (groups) are gone from the language and taken for damage.
enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

constexpr std::uint32_t proto_tag(std::uint32_t number, WireType type) {
  return number << 3U | static_cast<std::uint32_t>(type);
}

struct ProtoField {
  std::uint32_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t scalar = 0;     ///< Of varint, fixed64 and fixed32.
  std::string_view bytes = {};  ///< Of bytes: points into the message.

  /// Number and type as one, for a switch: a field of another type than expected has another tag,
  /// so that it counts as unknown, as protobuf asks.
  [[nodiscard]] constexpr std::uint32_t tag() const {
    return proto_tag(number, type);
  }

  [[nodiscard]] double as_double() const {
    double value = 0;
    static_assert(sizeof value == sizeof scalar);
    std::memcpy(&value, &scalar, sizeof value);
    return value;
  }
  [[nodiscard]] std::int64_t as_int64() const { return static_cast<std::int64_t>(scalar); }
};

/// Walks the fields of one protobuf message without copying; every step is checked against its end.
/// A nested message is read by another reader over `bytes`, so depth is what the caller's code has.
/// Unknown fields are for the caller to ignore.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view message)
      : at_(message.data()), end_(message.data() + message.size()) {}

  /// False at the end of the message and when it is damaged: `ok` tells which.
  [[nodiscard]] bool next(ProtoField& field) {
    if (at_ == end_) {
      return false;
    }
    std::uint64_t tag = 0;
    if (!varint(tag) || tag >> 32U != 0 || tag >> 3U == 0) {
      return damaged();
    }
    field.number = static_cast<std::uint32_t>(tag >> 3U);
    field.type = static_cast<WireType>(tag & 7U);
    switch (field.type) {
      case WireType::varint: return varint(field.scalar) || damaged();
      case WireType::fixed64: return fixed(8, field.scalar) || damaged();
      case WireType::fixed32: return fixed(4, field.scalar) || damaged();
      case WireType::bytes: return counted(field.bytes) || damaged();
    }
    return damaged();
  }

  /// One bare varint: the elements of a packed field.
  [[nodiscard]] bool next_varint(std::uint64_t& value) {
    return at_ != end_ && (varint(value) || damaged());
  }

  /// One bare 64-bit word: the elements of a packed field.
  [[nodiscard]] bool next_word(std::uint64_t& value) {
    return at_ != end_ && (fixed(8, value) || damaged());
  }

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  [[nodiscard]] bool varint(std::uint64_t& value) {
    std::uint64_t out = 0;
    for (unsigned shift = 0; at_ != end_ && shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(*at_++);
      out |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) {
        value = out;
        return shift < 63 || byte <= 1;  // The tenth byte holds one bit.
      }
    }
    return false;
  }

  /// Little-endian on the wire, as on every machine this is built for.
  [[nodiscard]] bool fixed(std::size_t size, std::uint64_t& value) {
    if (left() < size) {
      return false;
    }
    value = 0;
    std::memcpy(&value, at_, size);
    at_ += size;
    return true;
  }

  [[nodiscard]] bool counted(std::string_view& bytes) {
    std::uint64_t size = 0;
    if (!varint(size) || size > left()) {
      return false;
    }
    bytes = {at_, static_cast<std::size_t>(size)};
    at_ += size;
    return true;
  }

  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  bool damaged() {
    ok_ = false;
    at_ = end_;
    return false;
  }

  const char* at_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace sensus::codec
