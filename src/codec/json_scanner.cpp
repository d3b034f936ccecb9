#include "json_scanner_internal.hpp"

#include "sensus/core/assert.hpp"
#include "sensus/core/utf8.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace sensus::codec {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, unsigned code) {
  const auto put = [&out](unsigned byte) { out.push_back(static_cast<char>(byte)); };
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

}  // namespace

Result<> check_json_bytes(std::string_view body) {
  if (body.starts_with("\xEF\xBB\xBF")) {
    return make_error(Errc::invalid_input, "malformed JSON at byte 0: begins with a byte order mark; send plain UTF-8");
  }
  if (const std::size_t at = find_invalid_utf8(body); at != std::string_view::npos) {
    return make_error(Errc::invalid_input, "the body is not UTF-8 at byte " + std::to_string(at));
  }
  return {};
}

bool JsonScanner::fail(const char* problem) {
  if (ok()) {
    problem_ = problem;
  }
  return false;
}

bool JsonScanner::fail_text(const char* problem) {
  bad_text_ = bad_text_ || ok();
  return fail(problem);
}

Error JsonScanner::error(std::string field) const {
  SENSUS_ASSERT(!ok());
  const char* problem = pos_ >= text_.size() && !bad_text_ ? "the text ends too early" : problem_;
  return make_error(Errc::invalid_input,
                    std::string(bad_text_ ? "bad text at byte " : "malformed JSON at byte ") + std::to_string(base_ + pos_) + ": " + problem,
                    std::move(field));
}

bool JsonScanner::finish() { return ok() && (peek() == '\0' && pos_ == text_.size() ? true : fail("text after the end of the document")); }

bool JsonScanner::literal(std::string_view word) {
  if (peek() == '\0' || !text_.substr(pos_).starts_with(word)) {
    return fail("expected a value");
  }
  pos_ += word.size();
  return true;
}

bool JsonScanner::scan_digits() {
  const std::size_t begin = pos_;
  while (pos_ < text_.size() && is_digit(text_[pos_])) {
    ++pos_;
  }
  return pos_ > begin || fail("expected a digit");
}

bool JsonScanner::read_number(JsonNumber& out) {
  const char head = peek();
  if (head != '-' && !is_digit(head)) {
    return fail(head == 'N' || head == 'I' || head == 'i' ? "NaN and Infinity are not JSON" : "expected a value");
  }
  const std::size_t begin = pos_;
  pos_ += head == '-' ? 1 : 0;
  if (pos_ < text_.size() && text_[pos_] == '0') {
    ++pos_;
    if (pos_ < text_.size() && is_digit(text_[pos_])) {
      return fail("a number may not begin with 0");
    }
  } else if (!scan_digits()) {
    return false;
  }
  if (pos_ < text_.size() && text_[pos_] == '.') {
    ++pos_;
    if (!scan_digits()) {
      return false;
    }
  }
  if (pos_ < text_.size() && (text_[pos_] == 'e' || text_[pos_] == 'E')) {
    ++pos_;
    pos_ += pos_ < text_.size() && (text_[pos_] == '+' || text_[pos_] == '-') ? 1 : 0;
    if (!scan_digits()) {
      return false;
    }
  }
  const auto [end, ec] = std::from_chars(text_.data() + begin, text_.data() + pos_, out.value);
  if (ec == std::errc::result_out_of_range) {
    // from_chars does not say which side; strtod does: infinity, or zero and denormals, which are fine.
    out.value = std::strtod(std::string(text_.substr(begin, pos_ - begin)).c_str(), nullptr);
  }
  out.finite = std::isfinite(out.value);
  return true;
}

bool JsonScanner::read_escaped(std::size_t begin, std::string_view& out) {
  if (decoded_.capacity() < text_.size()) {
    decoded_.reserve(text_.size());
  }
  const std::size_t start = decoded_.size();
  decoded_.append(text_.substr(begin, pos_ - begin));
  while (pos_ < text_.size()) {
    const char c = text_[pos_];
    if (c == '"') {
      ++pos_;
      out = std::string_view(decoded_).substr(start);
      return true;
    }
    if (is_plain(c)) {
      decoded_.push_back(c);
      ++pos_;
    } else if (c != '\\') {
      return fail("a control character inside a string");
    } else if (!decode_escape(decoded_)) {
      return false;
    }
  }
  return fail("the string does not end");
}

bool JsonScanner::decode_escape(std::string& out) {
  ++pos_;
  const char c = pos_ < text_.size() ? text_[pos_] : '\0';
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (c == 'u') {
    ++pos_;
    return decode_unicode(out);
  }
  const std::size_t which = c == '\0' ? std::string_view::npos : kNames.find(c);
  if (which == std::string_view::npos) {
    return fail("an unknown escape");
  }
  out.push_back(kMeanings[which]);
  ++pos_;
  return true;
}

bool JsonScanner::read_hex4(unsigned& out) {
  const char* begin = text_.data() + pos_;
  if (text_.size() - pos_ < 4) {
    pos_ = text_.size();
    return fail("\\u needs four hexadecimal digits");
  }
  const auto [end, ec] = std::from_chars(begin, begin + 4, out, 16);
  if (ec != std::errc{} || end != begin + 4) {
    return fail("\\u needs four hexadecimal digits");
  }
  pos_ += 4;
  return true;
}

bool JsonScanner::decode_unicode(std::string& out) {
  unsigned code = 0;
  if (!read_hex4(code)) {
    return false;
  }
  if (code == 0) {
    return fail_text("NUL (\\u0000) is not allowed");
  }
  if (code >= 0xDC00 && code <= 0xDFFF) {
    return fail_text("a lone surrogate");
  }
  if (code >= 0xD800 && code <= 0xDBFF) {
    unsigned low = 0;
    if (text_.substr(pos_, 2) != "\\u") {
      return fail_text("a lone surrogate");
    }
    pos_ += 2;
    if (!read_hex4(low)) {
      return false;
    }
    if (low < 0xDC00 || low > 0xDFFF) {
      return fail_text("a lone surrogate");
    }
    code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
  }
  append_utf8(out, code);
  return true;
}

bool JsonScanner::skip_string() {
  if (peek() != '"') {
    return fail("expected a string");
  }
  ++pos_;
  while (pos_ < text_.size() && text_[pos_] != '"') {
    const char c = text_[pos_];
    if (static_cast<unsigned char>(c) < 0x20) {
      return fail("a control character inside a string");
    }
    ++pos_;
    if (c != '\\') {
      continue;
    }
    const char escaped = pos_ < text_.size() ? text_[pos_] : '\0';
    if (escaped == '\0' || std::string_view("\"\\/bfnrtu").find(escaped) == std::string_view::npos) {
      return fail("an unknown escape");
    }
    ++pos_;
    unsigned code = 0;
    if (escaped == 'u' && !read_hex4(code)) {
      return false;
    }
  }
  if (pos_ == text_.size()) {
    return fail("the string does not end");
  }
  ++pos_;
  return true;
}

bool JsonScanner::skip_object() {
  if (!begin_object()) {
    return false;
  }
  while (next('}')) {
    if (!skip_string() || !colon() || !skip_value()) {
      return false;
    }
  }
  return ok();
}

bool JsonScanner::skip_array() {
  if (!begin_array()) {
    return false;
  }
  while (next(']')) {
    if (!skip_value()) {
      return false;
    }
  }
  return ok();
}

bool JsonScanner::skip_value() {
  JsonNumber number;
  switch (peek()) {
    case '{': return skip_object();
    case '[': return skip_array();
    case '"': return skip_string();
    case 't': return literal("true");
    case 'f': return literal("false");
    case 'n': return literal("null");
    default: return read_number(number);
  }
}

}  // namespace sensus::codec
