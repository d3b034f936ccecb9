#include "json_writer_internal.hpp"
#include "otlp_readers_internal.hpp"
#include "otlp_wire_internal.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sensus::codec::otlp {
namespace {

using Wire = WireReader;

// AnyValue of opentelemetry/proto/common/v1.
constexpr std::uint64_t kString = Wire::tag_of(1, Wire::bytes);
constexpr std::uint64_t kBool = Wire::tag_of(2, Wire::varint);
constexpr std::uint64_t kInt = Wire::tag_of(3, Wire::varint);
constexpr std::uint64_t kDouble = Wire::tag_of(4, Wire::fixed64);
constexpr std::uint64_t kArray = Wire::tag_of(5, Wire::bytes);
constexpr std::uint64_t kMap = Wire::tag_of(6, Wire::bytes);
constexpr std::uint64_t kBytes = Wire::tag_of(7, Wire::bytes);
// Of ArrayValue and KeyValueList, and of KeyValue.
constexpr std::uint64_t kItem = Wire::tag_of(1, Wire::bytes);
constexpr std::uint64_t kKey = Wire::tag_of(1, Wire::bytes);
constexpr std::uint64_t kValue = Wire::tag_of(2, Wire::bytes);

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
    Wire in(message);
    while (in.next()) {
      if (!is_member(in.tag())) {
        continue;
      }
      out_.resize(begin);
      if (!write_member(in, depth)) {
        return false;
      }
    }
    if (out_.size() == begin && depth > 0) {
      out_ += "null";
    }
    return in.ok();
  }

 private:
  static bool is_member(std::uint64_t tag) {
    return tag == kString || tag == kBool || tag == kInt || tag == kDouble || tag == kArray ||
           tag == kMap || tag == kBytes;
  }

  bool write_member(const Wire& in, int depth) {
    switch (in.tag()) {
      case kString: write_text(in.view().substr(0, kAttributeBytesMax + 1), depth); return true;
      case kBytes:
        write_text(base64(in.view().substr(0, kAttributeBytesMax + 1)), depth);
        return true;
      case kBool: out_ += in.number() != 0 ? "true" : "false"; return true;
      case kInt: append_integer(static_cast<std::int64_t>(in.number()), out_); return true;
      case kDouble: write_real(in.real(), depth); return true;
      default: return depth < kValueDepthMax && write_list(in.view(), in.tag() == kMap, depth);
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
    Wire in(list);
    // What goes on beyond the longest label is not kept, so it is not read either.
    while (out_.size() <= kAttributeBytesMax && in.next()) {
      if (in.tag() != kItem) {
        continue;
      }
      out_ += first ? "" : ",";
      first = false;
      if (!(map ? write_pair(in.view(), depth) : write(in.view(), depth + 1))) {
        return false;
      }
    }
    out_ += map ? '}' : ']';
    return in.ok();
  }

  bool write_pair(std::string_view pair, int depth) {
    std::string_view key;
    std::string_view value;
    Wire in(pair);
    while (in.next()) {
      if (in.tag() == kKey) {
        key = in.view();
      } else if (in.tag() == kValue) {
        value = in.view();
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
