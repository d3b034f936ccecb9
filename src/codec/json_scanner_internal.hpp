#pragma once

#include "sensus/core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sensus::codec {

struct JsonNumber {
  double value = 0;
  bool finite = true;  ///< False when the text is beyond a double, e.g. 1e400.
};

/// A strict one-pass reader of RFC 8259 text that builds no document: the caller pulls members, elements and values in order and
/// skips what it does not know. Every function returns false once something is wrong; `error` then says what and where.
/// **Pre**: the text is UTF-8 (callers check the whole body once, which is cheaper). **Lifetime**: the text outlives the scanner, and
/// the strings it hands out live as long as text and scanner. **Limits**: depth kDepthMax; numbers are doubles.
class JsonScanner {
 public:
  static constexpr int kDepthMax = 32;

  /// `base` is added to the offsets in errors, for a text that is part of a larger one.
  explicit JsonScanner(std::string_view text, std::size_t base = 0) : text_(text), base_(base) {}

  /// The next significant character, '\0' at the end or after a failure.
  [[nodiscard]] char peek() {
    while (pos_ < text_.size()) {
      const char c = text_[pos_];
      if (c != ' ' && c != '\n' && c != '\t' && c != '\r') {
        return c;
      }
      ++pos_;
    }
    return '\0';
  }
  [[nodiscard]] bool begin_object() { return enter('{', "expected an object"); }
  [[nodiscard]] bool begin_array() { return enter('[', "expected an array"); }
  /// Moves to the next member and gives its key, or false at the end of the object.
  [[nodiscard]] bool next_member(std::string_view& key) { return next('}') && read_string(key) && colon(); }
  [[nodiscard]] bool next_element() { return next(']'); }
  /// The decoded string. \u0000 and lone surrogates fail, with `bad_text`.
  [[nodiscard]] bool read_string(std::string_view& out) {
    if (peek() != '"') {
      return fail("expected a string");
    }
    const std::size_t begin = ++pos_;
    while (pos_ < text_.size() && is_plain(text_[pos_])) {
      ++pos_;
    }
    if (pos_ < text_.size() && text_[pos_] == '"') {
      out = text_.substr(begin, pos_++ - begin);
      return true;
    }
    return read_escaped(begin, out);
  }
  [[nodiscard]] bool read_number(JsonNumber& out);
  [[nodiscard]] bool read_null() { return literal("null"); }
  /// Checks the structure of any value and passes over it; strings are not decoded.
  [[nodiscard]] bool skip_value();
  /// The caller found a value that is JSON but not what it must be: fails here with that. Always false.
  bool refuse(const char* problem) { return fail(problem); }
  /// True when nothing but white space is left.
  [[nodiscard]] bool finish();

  [[nodiscard]] bool ok() const { return problem_ == nullptr; }
  [[nodiscard]] std::size_t offset() const { return pos_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  /// The failure is about what a string says (NUL, surrogates), not about the document's shape.
  [[nodiscard]] bool bad_text() const { return bad_text_; }
  /// **Pre**: not ok().
  [[nodiscard]] Error error(std::string field) const;

 private:
  static bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }
  bool enter(char bracket, const char* expected) {
    if (peek() != bracket) {
      return fail(expected);
    }
    if (depth_ == kDepthMax) {
      return fail("nested deeper than 32 levels");
    }
    ++pos_;
    ++depth_;
    first_ |= bit();
    return true;
  }
  bool next(char close) {
    if (!ok()) {
      return false;
    }
    const char c = peek();
    if (c == close) {
      ++pos_;
      --depth_;
      return false;
    }
    if ((first_ & bit()) != 0) {
      first_ &= ~bit();
      return true;
    }
    if (c != ',') {
      return fail(close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    ++pos_;
    return peek() != close || fail("a comma before the closing bracket");
  }
  bool colon() {
    if (peek() != ':') {
      return fail("expected ':'");
    }
    ++pos_;
    return true;
  }
  [[nodiscard]] std::uint64_t bit() const { return std::uint64_t{1} << static_cast<unsigned>(depth_); }

  bool fail(const char* problem);
  bool fail_text(const char* problem);
  bool literal(std::string_view word);
  bool read_escaped(std::size_t begin, std::string_view& out);
  bool decode_escape(std::string& out);
  bool read_hex4(unsigned& out);
  bool decode_unicode(std::string& out);
  bool skip_string();
  bool skip_object();
  bool skip_array();
  bool scan_digits();

  std::string_view text_;
  std::size_t base_;
  std::size_t pos_ = 0;
  int depth_ = 0;
  std::uint64_t first_ = 0;  ///< Bit per depth: no member or element was read yet.
  std::string decoded_;      ///< Arena of strings with escapes; never longer than the text, so it never moves.
  const char* problem_ = nullptr;
  bool bad_text_ = false;
};

/// What every body must be before it is scanned: UTF-8 without a byte order mark.
[[nodiscard]] Result<> check_json_bytes(std::string_view body);

}  // namespace sensus::codec
