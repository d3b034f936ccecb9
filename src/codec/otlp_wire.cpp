#include "otlp_wire_internal.hpp"

namespace sensus::codec {
namespace {

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t out = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    out = out << 8U | static_cast<unsigned char>(bytes[i]);
  }
  return out;
}

}  // namespace

bool WireReader::next() {
  if (!ok_ || rest_.empty()) {
    return false;
  }
  constexpr std::uint64_t kTagMax = 0xFFFFFFFFU;
  if (!take_varint(tag_) || tag_ > kTagMax || field() == 0) {
    return fail();
  }
  switch (tag_ & 7U) {
    case Type::varint: return take_varint(number_) || fail();
    case Type::fixed64: return take_fixed(8);
    case Type::fixed32: return take_fixed(4);
    case Type::bytes: {
      std::uint64_t size = 0;
      if (!take_varint(size) || size > rest_.size()) {
        return fail();
      }
      view_ = rest_.substr(0, size);
      rest_.remove_prefix(size);
      return true;
    }
    default: return fail();
  }
}

std::uint64_t WireReader::take_word(std::string_view& packed) {
  const std::uint64_t word = little_endian(packed.substr(0, 8));
  packed.remove_prefix(8);
  return word;
}

bool WireReader::take_varint(std::uint64_t& out) {
  constexpr std::size_t kBytesMax = 10;
  out = 0;
  for (std::size_t i = 0; i < kBytesMax && i < rest_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    if (i == kBytesMax - 1 && byte > 1) {
      return false;
    }
    out |= std::uint64_t{byte & 0x7FU} << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool WireReader::take_fixed(std::size_t size) {
  if (rest_.size() < size) {
    return fail();
  }
  number_ = little_endian(rest_.substr(0, size));
  rest_.remove_prefix(size);
  return true;
}

}  // namespace sensus::codec
