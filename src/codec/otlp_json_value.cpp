#include "otlp_json_value_internal.hpp"

#include "json_writer_internal.hpp"
#include "otlp_readers_internal.hpp"

#include <charconv>
#include <cmath>
#include <limits>

namespace sensus::codec::otlp {
namespace {

/// Appends text as it is at the top, quoted inside a list.
void append_text(std::string_view text, int depth, std::string& out) {
  text = text.substr(0, kAttributeBytesMax + 1);
  if (depth > 0) {
    append_quoted(out, text);
  } else {
    out += text;
  }
}

bool append_list(JsonScanner& in, bool map, int depth, std::string& out) {
  if (depth == kValueDepthMax) {
    return in.refuse("nested deeper than an attribute's value may be");
  }
  out += map ? '{' : '[';
  bool first = true;
  const auto item = [&] {
    // What goes on beyond the longest label is not kept.
    if (out.size() > kAttributeBytesMax) {
      return in.skip_value();
    }
    out += first ? "" : ",";
    first = false;
    if (!map) {
      return append_json_value(in, out, depth + 1);
    }
    std::string key;
    std::string value;
    if (!read_json_pair(in, key, value, depth + 1)) {
      return false;
    }
    append_quoted(out, std::string_view(key).substr(0, kAttributeBytesMax + 1));
    out += ':';
    out += value.empty() ? "null" : value;
    return true;
  };
  const bool whole = json_members(in, [&](std::string_view name) {
    return name == "values" ? json_elements(in, item) : in.skip_value();
  });
  out += map ? '}' : ']';
  return whole;
}

bool append_member(JsonScanner& in, std::string_view name, int depth, std::string& out) {
  if (name == "stringValue" || name == "bytesValue") {
    std::string_view text;
    if (!in.read_string(text)) {
      return false;
    }
    append_text(text, depth, out);
    return true;
  }
  if (name == "boolValue") {
    bool flag = false;
    if (!read_json_bool(in, flag)) {
      return false;
    }
    out += flag ? "true" : "false";
    return true;
  }
  if (name == "intValue") {
    std::int64_t number = 0;
    if (!read_json_integer(in, number)) {
      return false;
    }
    append_integer(number, out);
    return true;
  }
  if (name == "doubleValue") {
    double number = 0;
    if (!read_json_real(in, number)) {
      return false;
    }
    std::string text;
    append_real(number, text);
    append_text(text, std::isfinite(number) ? 0 : depth, out);
    return true;
  }
  return append_list(in, name == "kvlistValue", depth, out);
}

bool is_member(std::string_view name) {
  return name == "stringValue" || name == "boolValue" || name == "intValue" ||
         name == "doubleValue" || name == "arrayValue" || name == "kvlistValue" ||
         name == "bytesValue";
}

/// The text of a number, which stands bare or in quotes.
bool read_token(JsonScanner& in, std::string_view& token) {
  if (in.peek() == '"') {
    return in.read_string(token);
  }
  const std::size_t begin = in.offset();
  JsonNumber number;
  if (!in.read_number(number)) {
    return false;
  }
  token = in.text().substr(begin, in.offset() - begin);
  return true;
}

bool whole_double(std::string_view token, double& out) {
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), out);
  return error == std::errc{} && end == token.data() + token.size() && !token.empty();
}

template <class Number>
bool read_integer_of(JsonScanner& in, Number& out) {
  std::string_view token;
  if (!read_token(in, token)) {
    return false;
  }
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), out);
  if (error == std::errc{} && end == token.data() + token.size() && !token.empty()) {
    return true;
  }
  // 1.0 and 1e3 are integers as well.
  double number = 0;
  const double limit = std::ldexp(1.0, std::numeric_limits<Number>::digits);
  const double least = std::numeric_limits<Number>::is_signed ? -limit : 0;
  if (!whole_double(token, number) || number != std::trunc(number) || number < least ||
      number >= limit) {
    return in.refuse("expected an integer of 64 bits");
  }
  out = static_cast<Number>(number);
  return true;
}

}  // namespace

bool read_json_integer(JsonScanner& in, std::int64_t& out) { return read_integer_of(in, out); }
bool read_json_integer(JsonScanner& in, std::uint64_t& out) { return read_integer_of(in, out); }

bool read_json_real(JsonScanner& in, double& out) {
  if (in.peek() != '"') {
    JsonNumber number;
    const bool read = in.read_number(number);
    out = number.value;
    return read;
  }
  std::string_view token;
  if (!in.read_string(token)) {
    return false;
  }
  if (token == "NaN") {
    out = std::numeric_limits<double>::quiet_NaN();
  } else if (token == "Infinity" || token == "-Infinity") {
    out = token.front() == '-' ? -std::numeric_limits<double>::infinity()
                               : std::numeric_limits<double>::infinity();
  } else if (!whole_double(token, out)) {
    return in.refuse("expected a number");
  }
  return true;
}

bool read_json_bool(JsonScanner& in, bool& out) {
  const char head = in.peek();
  out = head == 't';
  return head == 't' || head == 'f' ? in.skip_value() : in.refuse("expected true or false");
}

bool append_json_value(JsonScanner& in, std::string& out, int depth) {
  const std::size_t begin = out.size();
  const bool whole = json_members(in, [&](std::string_view name) {
    if (!is_member(name)) {
      return in.skip_value();
    }
    out.resize(begin);
    return append_member(in, name, depth, out);
  });
  if (out.size() == begin && depth > 0) {
    out += "null";
  }
  return whole;
}

bool read_json_pair(JsonScanner& in, std::string& key, std::string& value, int depth) {
  return json_members(in, [&](std::string_view name) {
    if (name == "value") {
      value.clear();
      return append_json_value(in, value, depth);
    }
    if (name != "key") {
      return in.skip_value();
    }
    std::string_view text;
    const bool read = in.read_string(text);
    key.assign(text);
    return read;
  });
}

}  // namespace sensus::codec::otlp
