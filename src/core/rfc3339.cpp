#include "sensus/core/time.hpp"

#include <array>
#include <cstdio>

namespace sensus {
namespace {

/// Reads fixed-width decimal fields from the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  /// Exactly `digits` digits, or -1.
  int number(std::size_t digits) {
    if (pos_ + digits > text_.size()) {
      return -1;
    }
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = text_[pos_ + i];
      if (c < '0' || c > '9') {
        return -1;
      }
      value = value * 10 + (c - '0');
    }
    pos_ += digits;
    return value;
  }
  bool skip(std::string_view any_of) {
    if (pos_ < text_.size() && any_of.find(text_[pos_]) != std::string_view::npos) {
      ++pos_;
      return true;
    }
    return false;
  }
  [[nodiscard]] char peek() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }
  [[nodiscard]] bool done() const { return pos_ == text_.size(); }

 private:
  std::string_view text_;
  std::size_t pos_ = 0;
};

Error not_a_time(std::string_view text) {
  return make_error(Errc::invalid_input, "'" + std::string(text.substr(0, 40)) +
                                             "' is not an RFC 3339 time such as 2026-01-31T23:59:59.5Z");
}

/// Microseconds of a fraction after the dot (1 to 9 digits), or -1.
std::int64_t parse_fraction(Cursor& in) {
  std::int64_t us = 0;
  int digits = 0;
  while (in.peek() >= '0' && in.peek() <= '9') {
    const int digit = in.number(1);
    if (digits < 6) {
      us = us * 10 + digit;
    }
    ++digits;
  }
  if (digits == 0 || digits > 9) {
    return -1;
  }
  for (int i = digits; i < 6; ++i) {
    us *= 10;
  }
  return us;
}

/// Minutes east of UTC; false when malformed.
bool parse_offset(Cursor& in, int& minutes) {
  minutes = 0;
  if (in.skip("Zz")) {
    return true;
  }
  const bool west = in.peek() == '-';
  if (!in.skip("+-")) {
    return false;
  }
  const int hour = in.number(2);
  const bool colon = in.skip(":");
  const int minute = in.number(2);
  if (hour < 0 || hour > 23 || !colon || minute < 0 || minute > 59) {
    return false;
  }
  minutes = (hour * 60 + minute) * (west ? -1 : 1);
  return true;
}

}  // namespace

Result<Timestamp> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  Cursor in(text);
  const int y = in.number(4);
  const bool dash1 = in.skip("-");
  const int mo = in.number(2);
  const bool dash2 = in.skip("-");
  const int d = in.number(2);
  const bool separator = in.skip("Tt ");
  const int h = in.number(2);
  const bool colon1 = in.skip(":");
  const int mi = in.number(2);
  const bool colon2 = in.skip(":");
  const int s = in.number(2);
  if (y < 1 || !dash1 || !dash2 || !separator || h < 0 || h > 23 || !colon1 || mi < 0 || mi > 59 || !colon2 || s < 0 ||
      s > 60) {
    return not_a_time(text);
  }
  std::int64_t us = 0;
  if (in.skip(".")) {
    us = parse_fraction(in);
  }
  int offset = 0;
  const year_month_day date{year{y}, month{static_cast<unsigned>(mo < 0 ? 0 : mo)}, day{static_cast<unsigned>(d < 0 ? 0 : d)}};
  if (us < 0 || !parse_offset(in, offset) || !in.done() || !date.ok()) {
    return not_a_time(text);
  }
  return Timestamp{sys_days{date}} + hours{h} + minutes{mi - offset} + seconds{s} + microseconds{us};
}

std::string render_rfc3339(Timestamp t) {
  using namespace std::chrono;
  const auto day_point = floor<days>(t);
  const year_month_day date{day_point};
  const hh_mm_ss time{t - day_point};
  const auto us = time.subseconds().count();
  std::array<char, 48> buffer{};
  int length = std::snprintf(buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
                             static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                             static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                             static_cast<int>(time.seconds().count()));
  std::string out(buffer.data(), static_cast<std::size_t>(length));
  if (us != 0) {
    const bool millis = us % 1000 == 0;
    length = std::snprintf(buffer.data(), buffer.size(), millis ? ".%03d" : ".%06d",
                           static_cast<int>(millis ? us / 1000 : us));
    out.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return out + 'Z';
}

}  // namespace sensus
