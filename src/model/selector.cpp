#include "sensus/model/selector.hpp"

#include "sensus/core/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace sensus::model {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | code >> 6U);
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | code >> 12U);
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | code >> 18U);
    put(0x80U | (code >> 12U & 0x3FU));
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

std::optional<std::uint32_t> digit_of(char c, std::uint32_t base) {
  std::uint32_t value = 99;
  if (is_digit(c)) {
    value = static_cast<std::uint32_t>(c - '0');
  } else if (c >= 'a' && c <= 'f') {
    value = static_cast<std::uint32_t>(c - 'a') + 10;
  } else if (c >= 'A' && c <= 'F') {
    value = static_cast<std::uint32_t>(c - 'A') + 10;
  }
  return value < base ? std::optional(value) : std::nullopt;
}

/// Reads one selector from left to right; no step back.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] Error error(const std::string& what) const {
    return make_error(Errc::invalid_input,
                      what + " at character " + std::to_string(at_ + 1) + " of the selector",
                      "query");
  }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }
  void skip_spaces() {
    while (!at_end() && is_space(text_[at_])) {
      ++at_;
    }
  }
  bool take(char c) {
    if (at_end() || text_[at_] != c) {
      return false;
    }
    ++at_;
    return true;
  }
  [[nodiscard]] std::string_view rest() const { return text_.substr(at_); }

  /// A bare name; empty when none stands here.
  std::string name(bool colons) {
    const std::size_t begin = at_;
    while (!at_end()) {
      const char c = text_[at_];
      const bool fits = is_name_start(c) || (colons && c == ':') || (at_ > begin && is_digit(c));
      if (!fits) {
        break;
      }
      ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

  /// Any name up to the operator.
  std::string loose_name() {
    const std::size_t end = std::min(rest().find_first_of(" \t!~=\"{},"), rest().size());
    std::string out(rest().substr(0, end));
    at_ += end;
    return out;
  }

  [[nodiscard]] bool at_string() const { return peek() == '"' || peek() == '\'' || peek() == '`'; }

  Result<std::string> string() {
    const char quote = text_[at_++];
    std::string out;
    while (!at_end() && text_[at_] != quote) {
      if (text_[at_] == '\\' && quote != '`') {
        ++at_;
        SENSUS_TRY_VOID(escape(out));
        continue;
      }
      out.push_back(text_[at_++]);
    }
    if (!take(quote)) {
      return error("a string without its closing quote");
    }
    if (!is_utf8(out) || out.find('\0') != std::string::npos) {
      return error("a string that is not UTF-8 text without NUL");
    }
    return out;
  }

  Result<SeriesMatchOp> op() {
    if (take('=')) {
      return take('~') ? SeriesMatchOp::regex : SeriesMatchOp::equal;
    }
    if (take('!')) {
      if (take('=')) {
        return SeriesMatchOp::not_equal;
      }
      if (take('~')) {
        return SeriesMatchOp::not_regex;
      }
    }
    return error("expected =, !=, =~ or !~");
  }

 private:
  Result<> escape(std::string& out) {
    constexpr std::string_view kShort = "abfnrtv\\\"'";
    constexpr std::string_view kMeaning = "\a\b\f\n\r\t\v\\\"'";
    const char c = peek();
    const std::size_t found = c == '\0' ? std::string_view::npos : kShort.find(c);
    if (found != std::string_view::npos) {
      ++at_;
      out.push_back(kMeaning[found]);
      return {};
    }
    switch (c) {
      case 'x': ++at_; return number(out, 2, 16, false);
      case 'u': ++at_; return number(out, 4, 16, true);
      case 'U': ++at_; return number(out, 8, 16, true);
      default: break;
    }
    if (digit_of(c, 8)) {
      return number(out, 3, 8, false);
    }
    return error(
        "an escape that is not known (a backslash of a regular expression is written \\\\)");
  }

  Result<> number(std::string& out, int digits, std::uint32_t base, bool is_code) {
    std::uint32_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const auto digit = digit_of(peek(), base);
      if (!digit) {
        return error("an escape with too few digits");
      }
      value = value * base + *digit;
      ++at_;
    }
    const bool surrogate = value >= 0xD800 && value < 0xE000;
    if (is_code ? value > 0x10FFFF || surrogate : value > 0xFF) {
      return error("an escape that stands for no character");
    }
    if (is_code) {
      append_utf8(out, value);
    } else {
      out.push_back(static_cast<char>(value));
    }
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool has_name(const Selector& selector) {
  return std::ranges::any_of(selector, [](const SeriesMatcher& m) { return m.name == kNameLabel; });
}

/// `name op "value"`, or a quoted metric name alone.
Result<> take_matcher(Reader& in, Selector& out, bool named_outside) {
  SeriesMatcher matcher;
  const bool quoted = in.at_string();
  if (quoted) {
    SENSUS_TRY(matcher.name, in.string());
  } else {
    matcher.name = in.name(false);
  }
  if (matcher.name.empty()) {
    return in.error("expected the name of a label");
  }
  in.skip_spaces();
  if (quoted && (in.peek() == ',' || in.peek() == '}')) {
    if (named_outside || has_name(out)) {
      return in.error("a second name of a metric");
    }
    out.push_back({std::string(kNameLabel), SeriesMatchOp::equal, std::move(matcher.name)});
    return {};
  }
  SENSUS_TRY(matcher.op, in.op());
  in.skip_spaces();
  if (!in.at_string()) {
    return in.error("expected a value in quotes");
  }
  SENSUS_TRY(matcher.value, in.string());
  if (named_outside && matcher.name == kNameLabel) {
    return in.error("a second name of a metric");
  }
  out.push_back(std::move(matcher));
  return {};
}

Result<> take_braces(Reader& in, Selector& out, bool named_outside) {
  for (in.skip_spaces(); !in.take('}'); in.skip_spaces()) {
    if (out.size() >= kSelectorMatchersMax) {
      return in.error("more than " + std::to_string(kSelectorMatchersMax) + " matchers");
    }
    SENSUS_TRY_VOID(take_matcher(in, out, named_outside));
    in.skip_spaces();
    if (!in.take(',') && in.peek() != '}') {
      return in.error("expected a comma or the closing brace");
    }
  }
  return {};
}

}  // namespace

Result<Selector> parse_selector(std::string_view text) {
  Reader in(text);
  if (text.size() > kSelectorBytesMax) {
    return make_error(Errc::invalid_input,
                      "a selector may have at most " + std::to_string(kSelectorBytesMax) + " bytes",
                      "query");
  }
  Selector out;
  in.skip_spaces();
  std::string name = in.name(true);
  const bool named = !name.empty();
  if (named) {
    out.push_back({std::string(kNameLabel), SeriesMatchOp::equal, std::move(name)});
  }
  in.skip_spaces();
  if (in.take('{')) {
    SENSUS_TRY_VOID(take_braces(in, out, named));
    in.skip_spaces();
  } else if (!named) {
    return in.error("expected the name of a metric or an opening brace");
  }
  if (!in.at_end()) {
    return in.error(
        "expected nothing more: a selector is name{label=\"value\"}, functions and ranges are not "
        "understood here;"
        " found more");
  }
  if (out.empty()) {
    return in.error("expected a matcher: a selector of every series is not answered;");
  }
  return out;
}

Result<SeriesMatcher> parse_series_matcher(std::string_view text) {
  while (!text.empty() && is_space(text.back())) {
    text.remove_suffix(1);
  }
  Reader in(text);
  SeriesMatcher matcher;
  in.skip_spaces();
  if (in.peek() == '"') {
    SENSUS_TRY(matcher.name, in.string());
  } else {
    matcher.name = in.loose_name();
  }
  if (matcher.name.empty()) {
    return in.error("expected the name of a label");
  }
  in.skip_spaces();
  SENSUS_TRY(matcher.op, in.op());
  in.skip_spaces();
  if (in.peek() == '"') {
    SENSUS_TRY(matcher.value, in.string());
    if (!in.at_end()) {
      return in.error("expected nothing after the value");
    }
    return matcher;
  }
  matcher.value = std::string(in.rest());
  const bool fits = is_utf8(matcher.value) && !matcher.value.starts_with('=') &&
                    !matcher.value.starts_with('~') &&
                    matcher.value.find_first_of(std::string_view("\0\"", 2)) == std::string::npos;
  if (!fits) {
    return in.error(
        "expected a value, in quotes where it begins with an operator or holds a quote");
  }
  return matcher;
}

std::string_view to_string(SeriesMatchOp op) {
  switch (op) {
    case SeriesMatchOp::equal: return "=";
    case SeriesMatchOp::not_equal: return "!=";
    case SeriesMatchOp::regex: return "=~";
    case SeriesMatchOp::not_regex: return "!~";
  }
  return "";
}

}  // namespace sensus::model
