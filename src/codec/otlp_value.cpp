#include "json_writer_internal.hpp"
#include "otlp_readers_internal.hpp"
#include "proto_reader_internal.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sensus::codec::otlp {
namespace {

// AnyValue of opentelemetry/proto/common/v1.
constexpr std::uint32_t kString = proto_tag(1, WireType::bytes);
constexpr std::uint32_t kBool = proto_tag(2, WireType::varint);
constexpr std::uint32_t kInt = proto_tag(3, WireType::varint);
constexpr std::uint32_t kDouble = proto_tag(4, WireType::fixed64);
constexpr std::uint32_t kArray = proto_tag(5, WireType::bytes);
constexpr std::uint32_t kMap = proto_tag(6, WireType::bytes);
constexpr std::uint32_t kBytes = proto_tag(7, WireType::bytes);
// Of ArrayValue and KeyValueList, and of KeyValue.
constexpr std::uint32_t kItem = proto_tag(1, WireType::bytes);
constexpr std::uint32_t kKey = proto_tag(1, WireType::bytes);
constexpr std::uint32_t kValue = proto_tag(2, WireType::bytes);

template <class Number>
void append_shortest(Number number, std::string& out) {
  char digits[32];
  const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), number);
  out.append(digits, error == std::errc{} ? end : digits);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8U | (j < left ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out.push_back(j <= left ? kDigits[group >> (18 - 6 * j) & 63U] : '=');
    }
  }
  return out;
}

class ValueWriter {
 public:
  explicit ValueWriter(std::string& out) : out_(out) {}

  /// Of several members of the oneof the last counts.
  bool write(std::string_view message, int depth) {
    const std::size_t begin = out_.size();
    ProtoReader in(message);
    ProtoField field;
    while (in.next(field)) {
      if (!is_member(field.tag())) {
        continue;
      }
      out_.resize(begin);
      if (!write_member(field, depth)) {
        return false;
      }
    }
    if (out_.size() == begin && depth > 0) {
      out_ += "null";
    }
    return in.ok();
  }

 private:
  static bool is_member(std::uint32_t tag) {
    return tag == kString || tag == kBool || tag == kInt || tag == kDouble || tag == kArray ||
           tag == kMap || tag == kBytes;
  }

  bool write_member(const ProtoField& field, int depth) {
    switch (field.tag()) {
      case kString: write_text(field.bytes.substr(0, kAttributeBytesMax + 1), depth); return true;
      case kBytes:
        write_text(base64(field.bytes.substr(0, kAttributeBytesMax + 1)), depth);
        return true;
      case kBool: out_ += field.scalar != 0 ? "true" : "false"; return true;
      case kInt: append_integer(field.as_int64(), out_); return true;
      case kDouble: write_real(field.as_double(), depth); return true;
      default: return depth < kValueDepthMax && write_list(field.bytes, field.tag() == kMap, depth);
    }
  }

  void write_text(std::string_view text, int depth) {
    if (depth > 0) {
      append_quoted(out_, text);
    } else {
      out_ += text;
    }
  }

  void write_real(double number, int depth) {
    std::string text;
    append_real(number, text);
    if (std::isfinite(number)) {
      out_ += text;
    } else {
      write_text(text, depth);
    }
  }

  bool write_list(std::string_view list, bool map, int depth) {
    out_ += map ? '{' : '[';
    bool first = true;
    ProtoReader in(list);
    ProtoField field;
    // What goes on beyond the longest label is not kept, so it is not read either.
    while (out_.size() <= kAttributeBytesMax && in.next(field)) {
      if (field.tag() != kItem) {
        continue;
      }
      out_ += first ? "" : ",";
      first = false;
      if (!(map ? write_pair(field.bytes, depth) : write(field.bytes, depth + 1))) {
        return false;
      }
    }
    out_ += map ? '}' : ']';
    return in.ok();
  }

  bool write_pair(std::string_view pair, int depth) {
    std::string_view key;
    std::string_view value;
    ProtoReader in(pair);
    ProtoField field;
    while (in.next(field)) {
      if (field.tag() == kKey) {
        key = field.bytes;
      } else if (field.tag() == kValue) {
        value = field.bytes;
      }
    }
    append_quoted(out_, key.substr(0, kAttributeBytesMax + 1));
    out_ += ':';
    return in.ok() && write(value, depth + 1);
  }

  std::string& out_;
};

}  // namespace

bool append_any_value(std::string_view message, std::string& out) {
  return ValueWriter(out).write(message, 0);
}

void append_integer(std::int64_t number, std::string& out) { append_shortest(number, out); }

void append_real(double number, std::string& out) {
  if (std::isnan(number)) {
    out += "NaN";
  } else if (std::isinf(number)) {
    out += number > 0 ? "Infinity" : "-Infinity";
  } else {
    append_shortest(number, out);
  }
}

}  // namespace sensus::codec::otlp
