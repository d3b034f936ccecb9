#include "sensus/codec/snappy_block.hpp"

#include <snappy.h>

namespace sensus::codec {
namespace {

// The densest element is a copy of 64 bytes in three; what declares more than this cannot be true.
constexpr std::size_t kRatioMax = 32;

}  // namespace

Result<std::string> unpack_snappy(std::string_view packed, std::size_t bytes_max) {
  std::size_t declared = 0;
  if (!snappy::GetUncompressedLength(packed.data(), packed.size(), &declared)) {
    return make_error(Errc::invalid_input, "the body is not snappy's block format");
  }
  if (declared > bytes_max) {
    return make_error(Errc::too_large, "the body unpacks to " + std::to_string(declared) +
                                           " bytes, at most " + std::to_string(bytes_max) +
                                           " are taken; send it in parts");
  }
  if (declared / kRatioMax > packed.size()) {
    return make_error(Errc::invalid_input, "the snappy block declares more bytes than it can hold");
  }
  std::string out(declared, '\0');
  if (!snappy::RawUncompress(packed.data(), packed.size(), out.data())) {
    return make_error(Errc::invalid_input, "the snappy block is damaged");
  }
  return out;
}

std::string pack_snappy(std::string_view bytes) {
  std::string out;
  snappy::Compress(bytes.data(), bytes.size(), &out);
  return out;
}

}  // namespace sensus::codec
