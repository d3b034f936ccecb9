#include "sensus/codec/metrics_json.hpp"

#include "json_scanner_internal.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

namespace sensus::codec {
namespace {

// Below this a Unix number is seconds (year 5138), from it on milliseconds (1973).
constexpr double kMillisecondsFrom = 1e11;
// Beyond any window, and far from where a conversion to microseconds would overflow.
constexpr double kUnixMax = 1e15;

Timestamp from_unix_number(double number) {
  if (number >= kUnixMax || number <= -kMillisecondsFrom) {
    return number > 0 ? Timestamp::max() : Timestamp::min();
  }
  return from_unix_us(std::llround(number >= kMillisecondsFrom ? number * 1e3 : number * 1e6));
}

/// One sample while its members come in, in any order.
struct Draft {
  enum Member : unsigned { metric_name = 1, metric_value = 2, labels = 4, timestamp = 8, metrics = 16 };
  unsigned seen = 0;
  std::string_view name;
  double value = 0;
  Timestamp time;
};

/// Reads one body. Buffers are reused from sample to sample, so a large array costs few allocations.
class MetricsReader {
 public:
  MetricsReader(std::string_view body, Timestamp now, const model::InputLimits& limits)
      : in_(body), now_(now), earliest_(now - limits.past_window), latest_(now + limits.future_window), limits_(limits) {}

  Result<model::SampleBatch> read() {
    const bool done = (in_.peek() == '[' ? read_array("") : read_object(/*top=*/true)) && in_.finish();
    if (done) {
      return std::move(batch_);
    }
    return error_ ? *std::move(error_) : in_.error(path(""));
  }

 private:
  bool read_array(std::string_view root) {
    root_ = root;
    const std::size_t bytes = in_.text().size();
    batch_.reserve(bytes / 96 + 1, bytes / 2);
    if (!in_.begin_array()) {
      return false;
    }
    for (std::size_t i = 0; in_.next_element(); ++i) {
      index_ = i;
      if (in_.peek() != '{') {
        return wrong_type("", "must be an object");
      }
      if (!read_object(/*top=*/false)) {
        return false;
      }
    }
    index_.reset();
    return in_.ok();
  }

  bool read_object(bool top) {
    if (!in_.begin_object()) {
      return false;
    }
    Draft draft;
    labels_.clear();
    std::string_view key;
    while (in_.next_member(key)) {
      if (!read_member(draft, key, top)) {
        return false;
      }
    }
    if (!in_.ok()) {
      return false;
    }
    if ((draft.seen & Draft::metrics) == 0) {
      return add(draft);
    }
    return draft.seen == Draft::metrics || fail("metrics", "stands beside a single sample's members: send one or the other");
  }

  bool read_member(Draft& draft, std::string_view key, bool top) {
    if (key == "metric_name") {
      return once(draft, Draft::metric_name, key) && read_name(draft);
    }
    if (key == "metric_value") {
      return once(draft, Draft::metric_value, key) && read_value(draft);
    }
    if (key == "labels") {
      return once(draft, Draft::labels, key) && read_labels();
    }
    if (key == "timestamp") {
      return once(draft, Draft::timestamp, key) && read_time(draft);
    }
    if (top && key == "metrics") {
      return once(draft, Draft::metrics, key) && (in_.peek() == '[' ? read_array("metrics") : wrong_type(key, "must be an array"));
    }
    return in_.skip_value();
  }

  bool once(Draft& draft, Draft::Member member, std::string_view key) {
    if ((draft.seen & member) != 0) {
      return fail(key, "is given twice");
    }
    draft.seen |= member;
    return true;
  }

  bool read_name(Draft& draft) {
    if (in_.peek() != '"') {
      return wrong_type("metric_name", "must be a string");
    }
    return in_.read_string(draft.name) || text_fault("metric_name");
  }

  bool read_value(Draft& draft) {
    if (!at_number()) {
      return wrong_type("metric_value", "must be a finite number");
    }
    JsonNumber number;
    if (!in_.read_number(number)) {
      return text_fault("metric_value");
    }
    draft.value = number.value;
    return number.finite || fail("metric_value", "is too large for a double: must be a finite number");
  }

  bool read_time(Draft& draft) {
    if (in_.peek() == 'n') {
      draft.seen &= ~static_cast<unsigned>(Draft::timestamp);
      return in_.read_null();
    }
    if (in_.peek() == '"') {
      std::string_view text;
      if (!in_.read_string(text)) {
        return text_fault("timestamp");
      }
      const auto time = parse_rfc3339(text);
      draft.time = time ? *time : Timestamp{};
      return time.has_value() || fail("timestamp", time.error().message);
    }
    if (!at_number()) {
      return wrong_type("timestamp", "must be an RFC 3339 time or a Unix number of seconds or milliseconds");
    }
    JsonNumber number;
    if (!in_.read_number(number)) {
      return text_fault("timestamp");
    }
    draft.time = from_unix_number(number.value);
    return true;
  }

  bool read_labels() {
    if (in_.peek() == 'n') {
      return in_.read_null();
    }
    if (in_.peek() != '{') {
      return wrong_type("labels", "must be an object of strings");
    }
    if (!in_.begin_object()) {
      return text_fault("labels");
    }
    std::string_view name;
    while (in_.next_member(name)) {
      if (in_.peek() != '"') {
        return wrong_type("labels", "must be an object of strings");
      }
      std::string_view value;
      if (!in_.read_string(value)) {
        return text_fault("labels");
      }
      labels_.emplace_back(name, value);
    }
    return in_.ok() || text_fault("labels");
  }

  /// The whole sample is known: check it and append it.
  bool add(const Draft& draft) {
    if (draft.name.empty() || draft.name.size() > limits_.metric_name_bytes_max) {
      return (draft.seen & Draft::metric_name) == 0 ? fail("metric_name", "is missing")
                                                    : fail(model::check_metric_name(draft.name, limits_, path("metric_name")));
    }
    if ((draft.seen & Draft::metric_value) == 0) {
      return fail("metric_value", "is missing");
    }
    const Timestamp time = (draft.seen & Draft::timestamp) != 0 ? draft.time : now_;
    if (time < earliest_ || time > latest_) {
      return fail(model::check_timestamp(time, now_, limits_, path("timestamp")));
    }
    if (!arrange_labels()) {
      return false;
    }
    encode_key(draft.name);
    batch_.append(key_, time, draft.value);
    return true;
  }

  bool arrange_labels() {
    if (labels_.size() > limits_.label_count_max) {
      return fail("labels", "has " + std::to_string(labels_.size()) + " entries, at most " +
                                std::to_string(limits_.label_count_max) + " are allowed");
    }
    for (const auto& [name, value] : labels_) {
      if (name.empty() || name.size() > limits_.label_name_bytes_max || value.size() > limits_.label_value_bytes_max) {
        return fail(model::check_label(name, value, limits_.label_value_bytes_max, limits_, path("labels")));
      }
    }
    std::sort(labels_.begin(), labels_.end());
    const auto twice = std::adjacent_find(labels_.begin(), labels_.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
    return twice == labels_.end() || fail("labels." + std::string(twice->first), "is given twice");
  }

  /// As model::encode_series_key, from the sorted views. An empty value means the same as no label.
  void encode_key(std::string_view name) {
    constexpr char kSeparator = static_cast<char>(0xFF);
    key_.assign(name).push_back(kSeparator);
    for (const auto& [label, value] : labels_) {
      if (!value.empty()) {
        key_.append(label).push_back(kSeparator);
        key_.append(value).push_back(kSeparator);
      }
    }
  }

  [[nodiscard]] bool at_number() {
    const char c = in_.peek();
    // N and I go to the scanner, which knows what to say about NaN and Infinity.
    return c == '-' || (c >= '0' && c <= '9') || c == 'N' || c == 'I';
  }

  /// "metrics[3].labels", "[3].labels" or "labels".
  [[nodiscard]] std::string path(std::string_view member) const {
    std::string out(index_ ? root_ : std::string_view{});
    if (index_) {
      out += "[" + std::to_string(*index_) + "]";
    }
    out += out.empty() || member.empty() ? "" : ".";
    return out.append(member);
  }

  bool fail(std::string_view member, std::string message) {
    error_ = make_error(Errc::invalid_input, std::move(message), path(member));
    return false;
  }
  bool fail(Result<> check) {
    error_ = std::move(check).error();
    return false;
  }
  /// A value of another type; what is not a value at all is the scanner's business.
  bool wrong_type(std::string_view member, const char* message) {
    return in_.skip_value() ? fail(member, message) : text_fault(member);
  }
  /// The scanner stopped inside this member.
  bool text_fault(std::string_view member) {
    error_ = in_.error(path(member));
    return false;
  }

  JsonScanner in_;
  Timestamp now_;
  Timestamp earliest_;
  Timestamp latest_;
  const model::InputLimits& limits_;
  model::SampleBatch batch_;
  std::vector<std::pair<std::string_view, std::string_view>> labels_;
  std::string key_;
  std::string_view root_;
  std::optional<std::size_t> index_;
  std::optional<Error> error_;
};

}  // namespace

Result<model::SampleBatch> parse_metrics_json(std::string_view body, Timestamp now, const model::InputLimits& limits) {
  SENSUS_TRY_VOID(check_json_bytes(body));
  return MetricsReader(body, now, limits).read();
}

}  // namespace sensus::codec
