#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sensus::codec {

/// Walks the fields of one protobuf message without copying: `while (in.next())` and a switch over
/// `tag()`. A field of an unexpected wire type has an unexpected tag, so it falls into the default
/// branch and is skipped, as protobuf asks.
/// **Lifetime**: the bytes outlive the reader and every view that it gives. **Limits**: none of its
/// own: it allocates nothing and the caller decides how deep it descends. Groups, which proto3 does
/// not have, are malformed.
class WireReader {
 public:
  enum Type : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

  explicit WireReader(std::string_view message) : rest_(message) {}

  /// Moves to the next field; false at the end and once something is malformed, which `ok` tells
  /// apart.
  [[nodiscard]] bool next();
  [[nodiscard]] bool ok() const { return ok_; }

  /// What `tag()` is compared with.
  static constexpr std::uint64_t tag_of(std::uint32_t field, Type type) {
    return std::uint64_t{field} << 3U | type;
  }
  [[nodiscard]] std::uint64_t tag() const { return tag_; }
  [[nodiscard]] std::uint32_t field() const { return static_cast<std::uint32_t>(tag_ >> 3U); }

  /// Of a varint, fixed64 or fixed32 field.
  [[nodiscard]] std::uint64_t number() const { return number_; }
  /// Of a fixed64 field.
  [[nodiscard]] double real() const { return std::bit_cast<double>(number_); }
  /// Of a bytes field: a string, a message, or packed numbers.
  [[nodiscard]] std::string_view view() const { return view_; }

  /// Takes one little-endian 64-bit word off the front of packed numbers; the caller made sure that
  /// it is there.
  [[nodiscard]] static std::uint64_t take_word(std::string_view& packed);

 private:
  bool take_varint(std::uint64_t& out);
  bool take_fixed(std::size_t size);
  bool fail() { return ok_ = false; }

  std::string_view rest_;
  std::string_view view_;
  std::uint64_t tag_ = 0;
  std::uint64_t number_ = 0;
  bool ok_ = true;
};

}  // namespace sensus::codec
