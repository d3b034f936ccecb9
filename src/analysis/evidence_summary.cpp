#include "evidence_internal.hpp"

#include "sensus/llm/untrusted_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace sensus::analysis {
namespace {

constexpr std::size_t kAlsoShown = 2;
constexpr std::size_t kAlertsNamed = 3;
constexpr std::size_t kNameBytesMax = 120;
constexpr std::int64_t kUsPerMinute = 60'000'000;

/// The label that people call the source by, most telling first.
constexpr std::array<std::string_view, 12> kSourceLabels = {"service", "service_name", "app", "deployment", "pod", "container",
                                                            "instance", "host", "hostname", "node", "job", "namespace"};

std::string shown(std::string_view text) { return llm::clean_text(text, kNameBytesMax); }

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

/// "12:03 UTC"
std::string clock_time(Timestamp time) { return render_rfc3339(time).substr(11, 5) + " UTC"; }

std::string minutes(std::int64_t us) {
  const std::int64_t count = (us + kUsPerMinute / 2) / kUsPerMinute;
  return count == 1 ? "1 minute" : std::to_string(count) + " minutes";
}

std::string source_of(const model::Labels& labels) {
  for (const std::string_view name : kSourceLabels) {
    if (const std::string* value = labels.find(name); value != nullptr && !value->empty()) {
      return shown(*value);
    }
  }
  return {};
}

std::string series_name(const model::Anomaly& anomaly) {
  const std::string source = source_of(anomaly.labels);
  const std::string metric = anomaly.metric_name.empty() ? "series " + std::to_string(anomaly.series_id) : shown(anomaly.metric_name);
  return source.empty() ? metric : metric + " of " + source;
}

std::string movement(const model::Anomaly& anomaly) {
  const char* verb = anomaly.value > anomaly.expected ? "rose to " : anomaly.value < anomaly.expected ? "fell to " : "moved oddly around ";
  return verb + number(anomaly.value) + " (expected " + number(anomaly.expected) + ")";
}

std::string offset_text(Timestamp start, Timestamp time) {
  const std::int64_t us = to_unix_us(start) - to_unix_us(time);
  if (std::abs(us) < kUsPerMinute) {
    return us >= 0 ? "less than a minute before it started" : "less than a minute after it started";
  }
  return us > 0 ? minutes(us) + " before it started" : minutes(-us) + " after it started";
}

bool has_identifying_labels(const model::Labels& labels) {
  return std::any_of(labels.begin(), labels.end(), [](const model::Label& label) { return is_identifying_label(label.name); });
}

std::string window_text(const EvidenceInput& input) {
  const std::int64_t before = to_unix_us(input.alert.starts_at) - to_unix_us(input.window_from);
  const std::int64_t after = to_unix_us(input.window_to) - to_unix_us(input.alert.starts_at);
  std::string text = "in the " + minutes(std::max<std::int64_t>(before, 0)) + " before this alert started";
  if (after >= kUsPerMinute) {
    text += " or the " + minutes(after) + " after";
  }
  return text;
}

std::string_view opening(bool best_before, bool any_before) {
  if (best_before) {
    return "Before this alert, ";
  }
  return any_before ? "After this alert started, " : "Nothing was anomalous before this alert; after it started, ";
}

std::string suspects_text(const EvidenceInput& input, const std::vector<Suspect>& suspects) {
  if (suspects.empty()) {
    return "No anomaly was recorded " + window_text(input) +
           ": the cause is not visible in the metrics that Sensus receives, or they arrive late.";
  }
  const Suspect& best = suspects.front();
  const Timestamp start = input.alert.starts_at;
  const bool before = best.first_seen <= start;
  const bool any_before = std::any_of(suspects.begin(), suspects.end(), [start](const Suspect& s) { return s.first_seen <= start; });
  std::string text(opening(before, any_before));
  text += series_name(best.strongest) + " " + movement(best.strongest) + " at " + clock_time(best.strongest.time);
  if (best.first_seen < best.strongest.time) {
    text += "; it was anomalous from " + clock_time(best.first_seen) + ", " + offset_text(start, best.first_seen) + ".";
  } else {
    text += ", " + offset_text(start, best.strongest.time) + ".";
  }
  if (best.label_overlap <= 0 && has_identifying_labels(input.alert.labels)) {
    text += " It shares no identifying label with the alert, so the two may be unrelated.";
  }
  std::string also;
  for (std::size_t i = 1; i < std::min(suspects.size(), kAlsoShown + 1); ++i) {
    also += (also.empty() ? " Also: " : "; ") + series_name(suspects[i].strongest) + " " + movement(suspects[i].strongest) + " at " +
            clock_time(suspects[i].strongest.time);
  }
  if (suspects.size() > kAlsoShown + 1) {
    also += "; and " + std::to_string(suspects.size() - kAlsoShown - 1) + " more";
  }
  return text + also + (also.empty() ? "" : ".");
}

std::string alerts_text(const std::vector<model::Episode>& others) {
  if (others.empty()) {
    return " No other alert was active around that time.";
  }
  std::string text = others.size() == 1 ? " Another alert was active around that time: "
                                        : " " + std::to_string(others.size()) + " other alerts were active around that time: ";
  for (std::size_t i = 0; i < std::min(others.size(), kAlertsNamed); ++i) {
    const std::string source = source_of(others[i].labels);
    text += (i == 0 ? "" : ", ") + shown(others[i].alert_name) + (source.empty() ? "" : " (" + source + ")");
  }
  return text + (others.size() > kAlertsNamed ? ", ..." : "") + ".";
}

std::string recurrence_text(const storage::AlertStore::Recurrence& recurrence) {
  if (recurrence.episodes_30d <= 0) {
    return " It did not fire in the 30 days before.";
  }
  const auto times = [](std::int64_t count) { return count == 1 ? std::string("once") : std::to_string(count) + " times"; };
  std::string text = " It fired " + times(recurrence.episodes_30d) + " in the 30 days before";
  if (recurrence.episodes_24h > 0) {
    text += ", " + std::to_string(recurrence.episodes_24h) + " of them in the last 24 hours";
  }
  if (recurrence.previous_start) {
    text += "; last at " + render_rfc3339(*recurrence.previous_start);
    if (recurrence.previous_end && *recurrence.previous_end > *recurrence.previous_start) {
      text += " for " + minutes(to_unix_us(*recurrence.previous_end) - to_unix_us(*recurrence.previous_start));
    }
  }
  return text + ".";
}

}  // namespace

std::string summarise(const EvidenceInput& input, const std::vector<Suspect>& suspects) {
  return suspects_text(input, suspects) + alerts_text(input.other_alerts) + recurrence_text(input.recurrence);
}

}  // namespace sensus::analysis
