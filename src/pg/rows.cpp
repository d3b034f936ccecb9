#include "pg/rows_internal.hpp"

#include "sensus/core/parse_number.hpp"

#include <algorithm>
#include <stdexcept>

namespace sensus::pg {
namespace {

template <class T>
T parse_value(std::string_view text) {
  const std::optional<T> value = parse_number<T>(text);
  if (!value) {
    throw std::logic_error("a column does not hold a number");
  }
  return *value;
}

/// Takes digits up to the next non-digit and the separator that must follow.
int take_number(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  if (end == std::string_view::npos) {
    throw std::logic_error("a column does not hold a time");
  }
  const int value = parse_value<int>(rest.substr(0, end));
  rest.remove_prefix(end + 1);
  return value;
}

/// Reads `{a,b}` or `{"a","b"}` of an array whose elements need no escapes.
template <class Read>
auto parse_array(std::string_view text, Read read) {
  if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
    throw std::logic_error("a column does not hold an array");
  }
  std::vector<decltype(read(text))> out;
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    std::string_view element = text.substr(0, end);
    if (element.size() > 2 && element.front() == '"') {
      element = element.substr(1, element.size() - 2);
    }
    out.push_back(read(element));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::uint8_t hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<std::uint8_t>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<std::uint8_t>(c - 'a' + 10);
  }
  throw std::logic_error("a column does not hold bytes");
}

}  // namespace

Timestamp parse_pg_time(std::string_view text) {
  if (!text.ends_with("+00")) {
    throw std::logic_error("a column does not hold a time in UTC");
  }
  std::string_view rest = text.substr(0, text.size() - 3);
  const int year = take_number(rest, '-');
  const int month = take_number(rest, '-');
  const int day = take_number(rest, ' ');
  const int hour = take_number(rest, ':');
  const int minute = take_number(rest, ':');
  const auto point = std::min(rest.find('.'), rest.size());
  const int second = parse_value<int>(rest.substr(0, point));
  std::int64_t micros = 0;
  if (point < rest.size()) {
    std::string digits(rest.substr(point + 1));
    digits.resize(6, '0');
    micros = parse_value<std::int64_t>(digits);
  }
  using namespace std::chrono;
  const sys_days date{std::chrono::year{year} / month / day};
  return Timestamp{date} + hours{hour} + minutes{minute} + seconds{second} + microseconds{micros};
}

std::vector<std::uint8_t> parse_pg_bytes(std::string_view text) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) {
    throw std::logic_error("a column does not hold bytes");
  }
  std::vector<std::uint8_t> bytes;
  bytes.reserve(text.size() / 2 - 1);
  for (std::size_t i = 2; i < text.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(hex_digit(text[i]) << 4 | hex_digit(text[i + 1])));
  }
  return bytes;
}

Rows::Rows(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

std::size_t Rows::size() const { return impl_->size(); }
std::size_t Rows::affected() const { return impl_->affected(); }
bool Rows::is_null(std::size_t row, std::size_t column) const {
  return !impl_->cell(row, column).has_value();
}

std::string_view Rows::text(std::size_t row, std::size_t column) const {
  const auto cell = impl_->cell(row, column);
  if (!cell) {
    throw std::logic_error("a column is NULL that must not be");
  }
  return *cell;
}

std::int64_t Rows::integer(std::size_t row, std::size_t column) const {
  return parse_value<std::int64_t>(text(row, column));
}
double Rows::number(std::size_t row, std::size_t column) const {
  return parse_value<double>(text(row, column));
}
bool Rows::boolean(std::size_t row, std::size_t column) const { return text(row, column) == "t"; }
std::vector<std::uint8_t> Rows::bytes(std::size_t row, std::size_t column) const {
  return parse_pg_bytes(text(row, column));
}
Timestamp Rows::time(std::size_t row, std::size_t column) const {
  return parse_pg_time(text(row, column));
}

std::vector<std::int64_t> Rows::integers(std::size_t row, std::size_t column) const {
  return parse_array(text(row, column), parse_value<std::int64_t>);
}
std::vector<double> Rows::numbers(std::size_t row, std::size_t column) const {
  return parse_array(text(row, column), parse_value<double>);
}
std::vector<Timestamp> Rows::times(std::size_t row, std::size_t column) const {
  return parse_array(text(row, column), parse_pg_time);
}

std::optional<Timestamp> Rows::time_or_null(std::size_t row, std::size_t column) const {
  if (is_null(row, column)) {
    return std::nullopt;
  }
  return time(row, column);
}

}  // namespace sensus::pg
