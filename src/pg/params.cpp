#include "sensus/pg/tx.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace sensus::pg {
namespace {

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "Infinity" : "-Infinity";
  } else {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    out.append(text.data(), end);
  }
}

void append_integer(std::string& out, std::int64_t value) {
  std::array<char, 24> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void append_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

/// The driver passes C strings: a NUL would cut the value silently.
void check_text(std::string_view value) {
  if (value.find('\0') != std::string_view::npos) {
    throw std::invalid_argument("text for the database holds a NUL byte");
  }
}

void append_quoted(std::string& out, std::string_view value) {
  check_text(value);
  out += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  out += '"';
}

void append_time(std::string& out, Timestamp value) { out += '"' + render_rfc3339(value) + '"'; }

template <class Values, class Append>
std::string array_literal(const Values& values, Append append) {
  std::string out = "{";
  for (const auto& value : values) {
    if (out.size() > 1) {
      out += ',';
    }
    append(out, value);
  }
  return out + "}";
}

template <class Values, class Append>
std::string nullable_array_literal(const Values& values, Append append) {
  return array_literal(values, [&](std::string& out, const auto& value) {
    if (value) {
      append(out, *value);
    } else {
      out += "NULL";
    }
  });
}

}  // namespace

Params& Params::text(std::string_view value) {
  check_text(value);
  values_.emplace_back(std::string(value));
  return *this;
}

Params& Params::text_or_null(const std::optional<std::string>& value) {
  return value ? text(*value) : null();
}

Params& Params::integer(std::int64_t value) {
  append_integer(values_.emplace_back(std::string()).value(), value);
  return *this;
}

Params& Params::number(double value) {
  append_number(values_.emplace_back(std::string()).value(), value);
  return *this;
}

Params& Params::boolean(bool value) {
  values_.emplace_back(value ? "t" : "f");
  return *this;
}

Params& Params::bytes(std::span<const std::uint8_t> value) {
  append_hex(values_.emplace_back(std::string("\\x")).value(), value);
  return *this;
}

Params& Params::time(Timestamp value) {
  values_.emplace_back(render_rfc3339(value));
  return *this;
}

Params& Params::time_or_null(const std::optional<Timestamp>& value) {
  return value ? time(*value) : null();
}

Params& Params::null() {
  values_.emplace_back(std::nullopt);
  return *this;
}

Params& Params::texts(const std::vector<std::string>& values) {
  values_.emplace_back(array_literal(values, append_quoted));
  return *this;
}

Params& Params::texts_or_null(const std::vector<std::optional<std::string>>& values) {
  values_.emplace_back(nullable_array_literal(values, append_quoted));
  return *this;
}

Params& Params::integers(const std::vector<std::int64_t>& values) {
  values_.emplace_back(array_literal(values, append_integer));
  return *this;
}

Params& Params::numbers(const std::vector<double>& values) {
  values_.emplace_back(array_literal(values, append_number));
  return *this;
}

Params& Params::times(const std::vector<Timestamp>& values) {
  values_.emplace_back(array_literal(values, append_time));
  return *this;
}

Params& Params::times_or_null(const std::vector<std::optional<Timestamp>>& values) {
  values_.emplace_back(nullable_array_literal(values, append_time));
  return *this;
}

Params& Params::byteas(const std::vector<std::vector<std::uint8_t>>& values) {
  values_.emplace_back(
      array_literal(values, [](std::string& out, const std::vector<std::uint8_t>& bytes) {
        out += "\"\\\\x";
        append_hex(out, bytes);
        out += '"';
      }));
  return *this;
}

}  // namespace sensus::pg
