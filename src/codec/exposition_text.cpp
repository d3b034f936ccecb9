#include "sensus/codec/exposition_text.hpp"

#include "exposition_metadata_internal.hpp"

#include "sensus/core/utf8.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sensus::codec {
namespace {

constexpr char kSeparator = static_cast<char>(0xFF);
// Beyond any window, and far from where a conversion to microseconds would overflow.
constexpr std::int64_t kUnixMsMax = 1'000'000'000'000'000;
constexpr std::string_view kEnd = "# EOF";

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// Reads one body line by line. Buffers are reused from line to line.
class ExpositionReader {
 public:
  ExpositionReader(std::string_view body, ExpositionFormat format, Timestamp now,
                   const model::InputLimits& limits)
      : body_(body),
        open_metrics_(format == ExpositionFormat::open_metrics),
        now_(now),
        earliest_(now - limits.past_window),
        latest_(now + limits.future_window),
        limits_(limits) {}

  Result<Exposition> read() {
    out_.samples.reserve(body_.size() / 64 + 1, body_.size());
    while (!body_.empty()) {
      const std::size_t end = std::min(body_.find('\n'), body_.size());
      rest_ = body_.substr(0, end);
      body_.remove_prefix(std::min(end + 1, body_.size()));
      ++line_;
      if (!read_line()) {
        return *std::move(error_);
      }
    }
    if (open_metrics_ && !ended_) {
      static_cast<void>(fail("the page is cut off: OpenMetrics ends with # EOF"));
      return *std::move(error_);
    }
    comments_.finish();
    out_.refused_metadata = comments_.refused();
    return std::move(out_);
  }

 private:
  bool read_line() {
    if (ended_) {
      return rest_.empty() || fail("there is text after # EOF");
    }
    ended_ = open_metrics_ && rest_ == kEnd;
    skip_blanks();
    if (rest_.empty() || ended_) {
      return true;
    }
    if (rest_.back() == '\r') {
      return fail("ends with a carriage return: lines end with a line feed alone");
    }
    if (rest_.front() == '#') {
      comments_.read(rest_.substr(1));
      return true;
    }
    if (rest_.find('\0') != std::string_view::npos || !is_utf8(rest_)) {
      return fail("must be UTF-8 without NUL");
    }
    return read_sample();
  }

  bool read_sample() {
    const std::string_view name = take_name(/*colons=*/true);
    if (name.empty()) {
      return fail("a metric name must begin with a letter, '_' or ':'");
    }
    if (!rest_.empty() && rest_.front() != '{' && !is_blank(rest_.front())) {
      return fail("expected a blank or '{' after the metric name");
    }
    labels_.clear();
    skip_blanks();
    if (next_is('{') && !read_labels()) {
      return false;
    }
    double value = 0;
    std::optional<Timestamp> time;
    if (!read_value(value) || !read_time(time)) {
      return false;
    }
    return add(name, value, time.value_or(now_));
  }

  bool read_labels() {
    unescaped_.clear();
    // Views point into it, so it must not move while the line is read.
    unescaped_.reserve(rest_.size());
    for (skip_blanks(); !next_is('}'); skip_blanks()) {
      const std::string_view name = take_name(/*colons=*/false);
      if (name.empty()) {
        return fail("expected a label name or '}'");
      }
      skip_blanks();
      if (!next_is('=')) {
        return fail("expected '=' after a label name");
      }
      skip_blanks();
      std::string_view value;
      if (!read_quoted(value)) {
        return false;
      }
      labels_.emplace_back(name, value);
      skip_blanks();
      if (!next_is(',') && (rest_.empty() || rest_.front() != '}')) {
        return fail("expected ',' or '}' after a label value");
      }
    }
    return true;
  }

  bool read_quoted(std::string_view& value) {
    if (!next_is('"')) {
      return fail("a label value must stand in double quotes");
    }
    const std::size_t begin = unescaped_.size();
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') {
        value = std::string_view(unescaped_).substr(begin);
        return true;
      }
      if (c != '\\') {
        unescaped_.push_back(c);
        continue;
      }
      const char escaped = rest_.empty() ? '\0' : rest_.front();
      if (escaped != '\\' && escaped != '"' && escaped != 'n') {
        return fail(
            "a backslash in a label value must be followed by a backslash, a double quote or n");
      }
      rest_.remove_prefix(1);
      unescaped_.push_back(escaped == 'n' ? '\n' : escaped);
    }
    return fail("a label value has no closing quote");
  }

  /// Decimal, or NaN, Inf, +Inf, -Inf in any case.
  bool read_value(double& value) {
    std::string_view word = take_word();
    if (word.empty()) {
      return fail("the value is missing");
    }
    if (word.front() == '+' && word.size() > 1 && word[1] != '-') {
      word.remove_prefix(1);
    }
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, value);
    // from_chars would also read nan(...).
    const bool whole = error == std::errc{} && stop == end && word.back() != ')';
    return whole || fail("the value must be a number, NaN, +Inf or -Inf");
  }

  bool read_time(std::optional<Timestamp>& time) {
    skip_blanks();
    if (rest_.empty() || rest_.front() == '#') {
      return read_exemplar();
    }
    const std::string_view word = take_word();
    if (!(open_metrics_ ? parse_seconds(word, time) : parse_milliseconds(word, time))) {
      return false;
    }
    return read_exemplar();
  }

  bool parse_milliseconds(std::string_view word, std::optional<Timestamp>& time) {
    std::int64_t ms = 0;
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, ms);
    const bool too_far = error == std::errc::result_out_of_range;
    if (stop != end || (error != std::errc{} && !too_far)) {
      return fail("the timestamp must be a whole number of milliseconds since 1970");
    }
    if (too_far) {
      ms = word.front() == '-' ? -kUnixMsMax : kUnixMsMax;
    }
    time = from_unix_us(std::clamp(ms, -kUnixMsMax, kUnixMsMax) * 1000);
    return true;
  }

  bool parse_seconds(std::string_view word, std::optional<Timestamp>& time) {
    double seconds = 0;
    const char* end = word.data() + word.size();
    const auto [stop, error] = std::from_chars(word.data(), end, seconds);
    if (stop != end || error != std::errc{} || !std::isfinite(seconds)) {
      return fail("the timestamp must be a number of seconds since 1970");
    }
    constexpr auto kSecondsMax = static_cast<double>(kUnixMsMax / 1000);
    time = from_unix_us(std::llround(std::clamp(seconds, -kSecondsMax, kSecondsMax) * 1e6));
    return true;
  }

  /// `# {trace_id="..."} 0.67 1520879607.789`: which request made the sample. Not kept.
  bool read_exemplar() {
    skip_blanks();
    if (rest_.empty()) {
      return true;
    }
    if (!next_is('#')) {
      return fail("there is text after the timestamp");
    }
    skip_blanks();
    if (rest_.empty() || rest_.front() != '{') {
      return fail("expected '{' of an exemplar after '#'");
    }
    ++out_.exemplars;
    return true;
  }

  bool add(std::string_view name, double value, Timestamp time) {
    if (auto checked = model::check_metric_name(name, limits_, place()); !checked) {
      return fail(std::move(checked));
    }
    if (time < earliest_ || time > latest_) {
      return fail(model::check_timestamp(time, now_, limits_, place()));
    }
    if (!arrange_labels()) {
      return false;
    }
    key_.assign(name).push_back(kSeparator);
    for (const auto& [label, text] : labels_) {
      if (!text.empty()) {
        key_.append(label).push_back(kSeparator);
        key_.append(text).push_back(kSeparator);
      }
    }
    out_.samples.append(key_, time, value);
    return true;
  }

  bool arrange_labels() {
    if (labels_.size() > limits_.label_count_max) {
      return fail("has " + std::to_string(labels_.size()) + " labels, at most " +
                  std::to_string(limits_.label_count_max) + " are allowed");
    }
    for (const auto& [name, value] : labels_) {
      if (name == "__name__") {
        return fail("the name stands before the braces, not in a label __name__");
      }
      if (auto checked =
              model::check_label(name, value, limits_.label_value_bytes_max, limits_, place());
          !checked) {
        return fail(std::move(checked));
      }
    }
    std::sort(labels_.begin(), labels_.end());
    const auto twice =
        std::adjacent_find(labels_.begin(), labels_.end(),
                           [](const auto& a, const auto& b) { return a.first == b.first; });
    return twice == labels_.end() ||
           fail("the label " + std::string(twice->first) + " is given twice");
  }

  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) {
      rest_.remove_prefix(1);
    }
  }
  bool next_is(char c) {
    const bool found = !rest_.empty() && rest_.front() == c;
    rest_.remove_prefix(found ? 1 : 0);
    return found;
  }
  std::string_view take(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  /// Up to the next blank; empty at the end of the line.
  std::string_view take_word() {
    skip_blanks();
    return take(std::min(rest_.find_first_of(" \t"), rest_.size()));
  }
  /// Empty when there is none.
  std::string_view take_name(bool colons) {
    skip_blanks();
    const auto fits = [colons](char c) { return is_name_start(c) || (colons && c == ':'); };
    std::size_t size = 0;
    while (size < rest_.size() && (fits(rest_[size]) || (size > 0 && is_digit(rest_[size])))) {
      ++size;
    }
    return take(size);
  }

  [[nodiscard]] std::string place() const { return "line " + std::to_string(line_); }
  bool fail(std::string message) {
    error_ = make_error(Errc::invalid_input, std::move(message), place());
    return false;
  }
  bool fail(Result<> check) {
    error_ = std::move(check).error();
    return false;
  }

  std::string_view body_;
  const bool open_metrics_;
  std::string_view rest_;  ///< Of the line being read.
  std::size_t line_ = 0;
  const Timestamp now_;
  const Timestamp earliest_;
  const Timestamp latest_;
  const model::InputLimits& limits_;
  bool ended_ = false;  ///< `# EOF` was there.
  Exposition out_;
  FamilyComments comments_{out_.metadata};
  std::vector<std::pair<std::string_view, std::string_view>> labels_;
  std::string unescaped_;
  std::string key_;
  std::optional<Error> error_;
};

}  // namespace

ExpositionFormat exposition_format(std::string_view content_type, std::string_view body) {
  if (content_type.find("openmetrics-text") != std::string_view::npos) {
    return ExpositionFormat::open_metrics;
  }
  body.remove_suffix(body.ends_with('\n') ? 1 : 0);
  const bool ends = body == kEnd || (body.ends_with(kEnd) && body[body.size() - kEnd.size() - 1] == '\n');
  return ends ? ExpositionFormat::open_metrics : ExpositionFormat::text;
}

Result<Exposition> parse_exposition(std::string_view body, ExpositionFormat format, Timestamp now, const model::InputLimits& limits) {
  return ExpositionReader(body, format, now, limits).read();
}

}  // namespace sensus::codec
