#include "alert_reader_internal.hpp"

#include "json_scanner_internal.hpp"

#include <algorithm>
#include <optional>

namespace sensus::codec {
namespace {

// A resolve may close an episode that began before the window: alerts do fire for months.
constexpr std::chrono::milliseconds kLongestEpisode = std::chrono::hours{24 * 366};

/// Go's zero time, which Alertmanager sends for "no end".
bool is_zero_time(Timestamp t) {
  using namespace std::chrono;
  return t == Timestamp{sys_days{year{1} / January / 1}};
}

bool is_fingerprint(std::string_view text) {
  return text.size() == 16 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

class AlertReader {
 public:
  AlertReader(std::string_view text, std::size_t base, const std::string& path, const AlertContext& context)
      : in_(text, base), path_(path), context_(context) {}

  bool read() { return read_members() && settle() && check(); }

  [[nodiscard]] model::AlertArrival take() { return std::move(arrival_); }
  [[nodiscard]] model::QuarantinedAlert quarantined() const {
    return {std::string(in_.text()), reason_.field + ": " + reason_.message, std::string(code_)};
  }

 private:
  enum Member : unsigned { status = 1, labels = 2, annotations = 4, starts_at = 8, ends_at = 16, generator_url = 32, fingerprint = 64 };

  bool read_members() {
    if (in_.peek() != '{') {
      return fail("bad_type", "", "must be an object");
    }
    if (!in_.begin_object()) {
      return text_fault("");
    }
    std::string_view key;
    while (in_.next_member(key)) {
      if (!read_member(key)) {
        return false;
      }
    }
    return in_.ok() || text_fault("");
  }

  bool read_member(std::string_view key) {
    if (key == "status") {
      return once(status, key) && read_text(key, status_);
    }
    if (key == "labels") {
      return once(labels, key) && read_pairs(key, arrival_.labels, /*keep_empty=*/false);
    }
    if (key == "annotations") {
      return once(annotations, key) && read_pairs(key, arrival_.annotations, /*keep_empty=*/true);
    }
    if (key == "startsAt") {
      return once(starts_at, key) && read_time(key, starts_at_);
    }
    if (key == "endsAt") {
      return once(ends_at, key) && read_time(key, ends_at_);
    }
    if (key == "generatorURL") {
      return once(generator_url, key) && read_text(key, arrival_.generator_url);
    }
    if (key == "fingerprint") {
      return once(fingerprint, key) && read_text(key, arrival_.fingerprint);
    }
    return in_.skip_value() || text_fault(key);
  }

  bool once(Member member, std::string_view key) {
    if ((seen_ & member) != 0) {
      return fail("duplicate_key", key, "is given twice");
    }
    seen_ |= member;
    return true;
  }

  bool read_text(std::string_view key, std::string& out) {
    if (in_.peek() == 'n') {
      return in_.read_null() || text_fault(key);
    }
    if (in_.peek() != '"') {
      return fail("bad_type", key, "must be a string");
    }
    std::string_view text;
    if (!in_.read_string(text)) {
      return text_fault(key);
    }
    out = text;
    return true;
  }

  bool read_time(std::string_view key, std::optional<Timestamp>& out) {
    if (in_.peek() == 'n') {
      return in_.read_null() || text_fault(key);
    }
    std::string text;
    if (!read_text(key, text)) {
      return false;
    }
    const auto time = parse_rfc3339(text);
    if (!time) {
      return fail("bad_timestamp", key, time.error().message);
    }
    out = *time;
    return true;
  }

  bool read_pairs(std::string_view key, model::Labels& out, bool keep_empty) {
    if (in_.peek() == 'n') {
      return in_.read_null() || text_fault(key);
    }
    if (in_.peek() != '{') {
      return fail("bad_type", key, "must be an object of strings");
    }
    if (!in_.begin_object()) {
      return text_fault(key);
    }
    std::string_view name;
    while (in_.next_member(name)) {
      if (in_.peek() != '"') {
        return fail("bad_type", key, "must be an object of strings");
      }
      std::string_view value;
      if (!in_.read_string(value)) {
        return text_fault(key);
      }
      if (out.find(name) != nullptr) {
        return fail("duplicate_key", key, "has a name twice");
      }
      // Stopped here and not by check_labels, because a sorted insert of a million names would not end.
      if (out.size() == context_.limits.label_count_max) {
        return fail("label_limit", key, "has too many entries, at most " + std::to_string(out.size()) + " are allowed");
      }
      if (keep_empty || !value.empty()) {
        out.set(std::string(name), std::string(value));
      }
    }
    return in_.ok() || text_fault(key);
  }

  /// Status and times, by the rules of the two senders.
  bool settle() {
    if (!status_.empty() && status_ != "firing" && status_ != "resolved") {
      return fail("bad_status", "status", "must be \"firing\" or \"resolved\"");
    }
    if (ends_at_ && is_zero_time(*ends_at_)) {
      ends_at_.reset();
    }
    const bool ended = ends_at_ && *ends_at_ <= context_.now;
    const bool by_end = ended && !(context_.webhook && status_ == "firing");
    arrival_.status = status_ == "resolved" || by_end ? model::AlertStatus::resolved : model::AlertStatus::firing;
    if (arrival_.status == model::AlertStatus::firing) {
      arrival_.starts_at = starts_at_.value_or(context_.now);
      return true;
    }
    arrival_.starts_at = starts_at_.value_or(ends_at_.value_or(context_.now));
    arrival_.ends_at = ends_at_.value_or(std::max(context_.now, arrival_.starts_at));
    return *arrival_.ends_at >= arrival_.starts_at || fail("ends_before_start", "endsAt", "is before startsAt");
  }

  bool check() {
    const model::InputLimits& limits = context_.limits;
    if (arrival_.labels.get("alertname").empty()) {
      return fail("missing_alertname", "labels.alertname", "is missing or empty");
    }
    if (auto bad = model::check_labels(arrival_.labels, limits, full("labels")); !bad) {
      return fail("label_limit", std::move(bad).error());
    }
    if (auto bad = model::check_annotations(arrival_.annotations, limits, full("annotations")); !bad) {
      return fail("annotation_limit", std::move(bad).error());
    }
    if (arrival_.generator_url.size() > limits.annotation_value_bytes_max) {
      return fail("annotation_limit", "generatorURL", "is too long: at most " + std::to_string(limits.annotation_value_bytes_max) + " bytes are allowed");
    }
    if (!is_fingerprint(arrival_.fingerprint)) {
      arrival_.fingerprint = model::fingerprint_of(arrival_.labels);
    }
    return check_times(limits);
  }

  bool check_times(const model::InputLimits& limits) {
    model::InputLimits start_limits = limits;
    if (arrival_.ends_at) {
      if (auto bad = model::check_timestamp(*arrival_.ends_at, context_.now, limits, full("endsAt")); !bad) {
        return fail("timestamp_window", std::move(bad).error());
      }
      start_limits.past_window = std::max(limits.past_window, kLongestEpisode);
    }
    if (auto bad = model::check_timestamp(arrival_.starts_at, context_.now, start_limits, full("startsAt")); !bad) {
      return fail("timestamp_window", std::move(bad).error());
    }
    return true;
  }

  [[nodiscard]] std::string full(std::string_view member) const {
    return member.empty() ? path_ : path_ + "." + std::string(member);
  }
  bool fail(std::string_view code, std::string_view member, std::string message) {
    return fail(code, make_error(Errc::invalid_input, std::move(message), full(member)));
  }
  bool fail(std::string_view code, Error reason) {
    code_ = code;
    reason_ = std::move(reason);
    return false;
  }
  /// The shape is known to be good, so the scanner stops only at what a string says.
  bool text_fault(std::string_view member) { return fail("bad_text", in_.error(full(member))); }

  JsonScanner in_;
  const std::string& path_;
  const AlertContext& context_;
  unsigned seen_ = 0;
  std::string status_;
  std::optional<Timestamp> starts_at_;
  std::optional<Timestamp> ends_at_;
  model::AlertArrival arrival_;
  std::string_view code_;
  Error reason_;
};

}  // namespace

std::variant<model::AlertArrival, model::QuarantinedAlert> read_alert(std::string_view text, std::size_t base, const std::string& path,
                                                                      const AlertContext& context) {
  AlertReader reader(text, base, path, context);
  if (reader.read()) {
    return reader.take();
  }
  return reader.quarantined();
}

}  // namespace sensus::codec
