#include "storage/regex_internal.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace sensus::storage {
namespace {

constexpr std::string_view kSpecial = "\\^$.[]|()*+?{}";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "a|b|c" of plain characters and escaped special ones.
std::optional<std::vector<std::string>> literals_of(std::string_view re2) {
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < re2.size(); ++i) {
    if (re2[i] == '|') {
      out.emplace_back();
      continue;
    }
    const bool escaped = re2[i] == '\\';
    i += escaped ? 1 : 0;
    const bool special = i < re2.size() && kSpecial.find(re2[i]) != std::string_view::npos;
    const bool punctuation = i < re2.size() && (special || re2[i] == '-' || re2[i] == '/');
    if (i == re2.size() || (escaped ? !punctuation : special)) {
      return std::nullopt;
    }
    out.back().push_back(re2[i]);
  }
  return out;
}

/// What stands for a class of characters inside brackets; RE2's classes are ASCII.
std::string_view members_of(char escape) {
  constexpr std::array<std::pair<char, std::string_view>, 3> kClasses{
      {{'d', "0-9"}, {'w', "0-9A-Za-z_"}, {'s', "\\t\\n\\f\\r "}}};
  for (const auto& [letter, members] : kClasses) {
    if (letter == escape) {
      return members;
    }
  }
  return {};
}

class Rewriter {
 public:
  explicit Rewriter(std::string_view re2) : in_(re2) {}

  Result<std::string> run() {
    std::string flags;
    if (in_.starts_with("(?i)") || in_.starts_with("(?s)")) {
      flags = in_[2] == 'i' ? "(?i)" : "";  // `.` matches every character anyway.
      at_ = 4;
    }
    while (at_ < in_.size()) {
      SENSUS_TRY_VOID(piece());
    }
    if (depth_ != 0) {
      return refuse("a group without its closing parenthesis");
    }
    return flags + "^(?:" + out_ + ")$";
  }

 private:
  [[nodiscard]] Error refuse(const std::string& what) const {
    return make_error(
        Errc::invalid_input,
        "the regular expression \"" + std::string(in_.substr(0, 100)) + "\" has " + what, "query");
  }
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0';
  }

  Result<> piece() {
    switch (in_[at_]) {
      case '\\': return escape();
      case '[': return brackets();
      case '(': return open();
      case ')':
        if (depth_ == 0) {
          return refuse("a closing parenthesis without its group");
        }
        --depth_;
        break;
      case '{': return braces();
      case '*':
      case '+':
      case '?': return repeat();
      case ']':
      case '}': out_ += '\\'; break;  // Plain characters to RE2.
      default: break;
    }
    repeated_ = in_[at_] == '|';  // Nothing to repeat stands before.
    out_ += in_[at_++];
    return {};
  }

  Result<> repeat() {
    if (repeated_ || out_.empty() || out_.ends_with("(?:")) {
      return refuse("nothing to repeat before *, + or ?, or two of them");
    }
    out_ += in_[at_++];
    if (peek() == '?') {
      ++at_;  // Lazy or not, a whole value matches or does not.
    }
    repeated_ = true;
    return {};
  }

  Result<> open() {
    ++at_;
    if (peek() == '?') {
      if (peek(1) == ':') {
        at_ += 2;
      } else if (peek(1) == 'P' && peek(2) == '<') {
        const std::size_t end = in_.find('>', at_);
        if (end == std::string_view::npos) {
          return refuse("a name of a group without its end");
        }
        at_ = end + 1;
      } else {
        return refuse(
            "a group that is not understood here: (?:...), (?P<name>...), and (?i) at the very "
            "beginning are");
      }
    }
    ++depth_;
    out_ += "(?:";
    repeated_ = true;
    return {};
  }

  Result<> braces() {
    int low = 0;
    int high = 0;
    const char* const end = in_.data() + in_.size();
    auto [rest, bad] = std::from_chars(in_.data() + at_ + 1, end, low);
    const bool counted = is_digit(peek(1));
    if (counted && bad == std::errc{} && rest != end && *rest == ',') {
      ++rest;
      high = low;
      if (rest != end && is_digit(*rest)) {
        const auto upper = std::from_chars(rest, end, high);
        rest = upper.ptr;
        bad = upper.ec;
      }
    }
    if (!counted || rest == end || *rest != '}') {  // Plain text to RE2.
      out_ += "\\{";
      ++at_;
      repeated_ = false;
      return {};
    }
    if (bad != std::errc{} || low > kRegexRepeatMax || high > kRegexRepeatMax) {
      return refuse("a repeat count above " + std::to_string(kRegexRepeatMax));
    }
    if (repeated_ || out_.empty() || (high != 0 && high < low)) {
      return refuse("a repeat count without anything to repeat, or a bad one");
    }
    out_.append(in_.data() + at_, static_cast<std::size_t>(rest + 1 - (in_.data() + at_)));
    at_ = static_cast<std::size_t>(rest + 1 - in_.data());
    if (peek() == '?') {
      ++at_;
    }
    repeated_ = true;
    return {};
  }

  Result<> escape() {
    const char c = peek(1);
    repeated_ = false;
    if (const std::string_view members = members_of(c); !members.empty()) {
      out_ += "[" + std::string(members) + "]";
    } else if (c == 'D' || c == 'W' || c == 'S') {
      out_ += "[^" + std::string(members_of(static_cast<char>(c - 'A' + 'a'))) + "]";
    } else if (c == 'b' || c == 'B') {
      out_ += c == 'b' ? "\\y" : "\\Y";
    } else if (c == 'A' || c == 'z') {
      out_ += c == 'A' ? "\\A" : "\\Z";
    } else {
      SENSUS_TRY_VOID(plain_escape(c));
    }
    at_ += 2;
    return {};
  }

  /// An escape that means one character, inside brackets and outside.
  Result<> plain_escape(char c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
    constexpr std::string_view kControls = "afnrtv";
    if (c == '\0' || (letter && kControls.find(c) == std::string_view::npos)) {
      return refuse(c == '\0'
                        ? std::string("a backslash at its end")
                        : "the escape \\" + std::string(1, c) + ", which is not understood here");
    }
    out_ += '\\';
    out_ += c;
    return {};
  }

  Result<> brackets() {
    out_ += in_[at_++];
    if (peek() == '^') {
      out_ += in_[at_++];
    }
    for (bool first = true; first || peek() != ']'; first = false) {
      if (at_ >= in_.size()) {
        return refuse("brackets without their end");
      }
      SENSUS_TRY_VOID(bracket_member());
    }
    out_ += in_[at_++];
    repeated_ = false;
    return {};
  }

  Result<> bracket_member() {
    if (in_.substr(at_).starts_with("[:")) {
      const std::size_t end = in_.find(":]", at_);
      if (end == std::string_view::npos || in_.substr(at_).starts_with("[:^")) {
        return refuse("a class of characters that is not understood here");
      }
      out_ += in_.substr(at_, end + 2 - at_);
      at_ = end + 2;
      return {};
    }
    if (peek() == '\\') {
      if (const std::string_view members = members_of(peek(1)); !members.empty()) {
        out_ += members;
      } else {
        SENSUS_TRY_VOID(plain_escape(peek(1)));
      }
      at_ += 2;
      return {};
    }
    // PostgreSQL gives [. and [= a meaning of their own.
    out_ += peek() == '[' || peek() == ']' ? "\\" : "";
    out_ += in_[at_++];
    return {};
  }

  std::string_view in_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  bool repeated_ = true;  ///< Nothing that could be repeated stands before.
  std::string out_;
};

}  // namespace

Result<SqlRegex> rewrite_regex(std::string_view re2) {
  if (re2.size() > kRegexBytesMax) {
    return make_error(
        Errc::invalid_input,
        "a regular expression may have at most " + std::to_string(kRegexBytesMax) + " bytes",
        "query");
  }
  SqlRegex out;
  out.literals = literals_of(re2);
  if (!out.literals) {
    SENSUS_TRY(out.pattern, Rewriter(re2).run());
  }
  return out;
}

}  // namespace sensus::storage
