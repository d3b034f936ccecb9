#pragma once

#include "proto_reader_internal.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace sensus::codec {

/// Appends the fields of one protobuf message, in the order of the calls. What proto3 leaves out
/// (zero, empty) is for the caller to leave out. A nested message is a writer of its own whose
/// `text` goes into `bytes`; `clear` keeps its memory for the next one.
class ProtoWriter {
 public:
  ProtoWriter& varint(std::uint32_t number, std::uint64_t value) {
    put(proto_tag(number, WireType::varint));
    put(value);
    return *this;
  }
  /// int64 and enums: negative numbers take ten bytes, as in protobuf.
  ProtoWriter& integer(std::uint32_t number, std::int64_t value) {
    return varint(number, static_cast<std::uint64_t>(value));
  }
  ProtoWriter& real(std::uint32_t number, double value) {
    put(proto_tag(number, WireType::fixed64));
    char word[sizeof value];
    std::memcpy(word, &value, sizeof value);  // Little-endian, as the reader's side says.
    out_.append(word, sizeof word);
    return *this;
  }
  /// A string, a message, or packed numbers.
  ProtoWriter& bytes(std::uint32_t number, std::string_view value) {
    put(proto_tag(number, WireType::bytes));
    put(value.size());
    out_.append(value);
    return *this;
  }

  [[nodiscard]] const std::string& text() const { return out_; }
  [[nodiscard]] std::string take() { return std::exchange(out_, {}); }
  void clear() { out_.clear(); }

 private:
  void put(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7U) {
      out_.push_back(static_cast<char>(value | 0x80U));
    }
    out_.push_back(static_cast<char>(value));
  }

  std::string out_;
};

}  // namespace sensus::codec
