#include "sensus/analysis/evidence.hpp"

#include "evidence_internal.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace sensus::analysis {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 34> kIdentifying = {
    "app",       "application", "bucket",    "cluster",    "component", "container", "daemonset",   "database", "datname",
    "deployment", "device",     "endpoint",  "exchange",   "group_id",  "handler",   "host",        "hostname", "instance",
    "job",       "mountpoint",  "namespace", "node",       "nodename",  "partition", "pod",         "queue",    "region",
    "server",    "service",     "service_name", "statefulset", "topic", "vhost",     "zone"};

double seconds_between(Timestamp from, Timestamp to) { return std::chrono::duration<double>(to - from).count(); }

/// How far `part` lies along `whole`, 0..1.
double share(double part, double whole) { return whole <= 0 ? 1 : std::clamp(part / whole, 0.0, 1.0); }

double time_weight(const EvidenceInput& input, Timestamp first_seen) {
  const Timestamp start = input.alert.starts_at;
  if (first_seen <= start) {
    return 1.0 - 0.3 * share(seconds_between(first_seen, start), seconds_between(input.window_from, start));
  }
  return 0.6 - 0.3 * share(seconds_between(start, first_seen), seconds_between(start, input.window_to));
}

double rank(const EvidenceInput& input, const Suspect& suspect) {
  constexpr double kStepsFull = 5;
  const double persistence = 0.9 + 0.1 * share(static_cast<double>(suspect.anomalous_steps) - 1, kStepsFull - 1);
  const double strength = std::clamp(suspect.strongest.score, 0.0, 1.0);
  return strength * (0.5 + 0.5 * suspect.label_overlap) * time_weight(input, suspect.first_seen) * persistence;
}

bool is_stronger(const model::Anomaly& a, const model::Anomaly& b) {
  return std::make_tuple(-a.score, a.time, a.id) < std::make_tuple(-b.score, b.time, b.id);
}

std::vector<Suspect> rank_suspects(const EvidenceInput& input) {
  std::map<SeriesId, Suspect> by_series;
  for (const model::Anomaly& anomaly : input.anomalies) {
    if (anomaly.time < input.window_from || anomaly.time >= input.window_to) {
      continue;
    }
    const auto [entry, fresh] = by_series.try_emplace(anomaly.series_id);
    Suspect& suspect = entry->second;
    if (fresh || is_stronger(anomaly, suspect.strongest)) {
      suspect.strongest = anomaly;
    }
    suspect.first_seen = fresh ? anomaly.time : std::min(suspect.first_seen, anomaly.time);
    ++suspect.anomalous_steps;
  }
  std::vector<Suspect> out;
  out.reserve(by_series.size());
  for (auto& [series, suspect] : by_series) {
    suspect.label_overlap = label_overlap(input.alert.labels, suspect.strongest.labels);
    suspect.rank_score = rank(input, suspect);
    out.push_back(std::move(suspect));
  }
  std::sort(out.begin(), out.end(), [](const Suspect& a, const Suspect& b) {
    return std::make_tuple(-a.rank_score, a.first_seen, a.strongest.series_id) <
           std::make_tuple(-b.rank_score, b.first_seen, b.strongest.series_id);
  });
  return out;
}

/// Others first that share labels with the alert, then those that started before it, then the nearest.
void sort_alerts(const model::Episode& alert, std::vector<model::Episode>& others) {
  const auto key = [&alert](const model::Episode& other) {
    const double lag_s = seconds_between(alert.starts_at, other.starts_at);
    return std::make_tuple(-label_overlap(alert.labels, other.labels), lag_s > 0, std::abs(lag_s), other.id);
  };
  std::sort(others.begin(), others.end(),
            [&key](const model::Episode& a, const model::Episode& b) { return key(a) < key(b); });
}

double confidence_of(const std::vector<Suspect>& suspects) {
  if (suspects.empty()) {
    return 0;
  }
  const double best = suspects[0].rank_score;
  const double gap = suspects.size() == 1 || best <= 0 ? 1 : (best - suspects[1].rank_score) / best;
  return std::clamp(0.9 * best * (0.7 + 0.3 * gap), 0.0, 1.0);
}

Json labels_json(const model::Labels& labels) {
  Json out = Json::object();
  for (const model::Label& label : labels) {
    out[label.name] = label.value;
  }
  return out;
}

Json time_json(const std::optional<Timestamp>& time) { return time ? Json(render_rfc3339(*time)) : Json(nullptr); }

Json suspect_json(const EvidenceInput& input, const Suspect& suspect) {
  const model::Anomaly& anomaly = suspect.strongest;
  return {{"metric_name", anomaly.metric_name},
          {"labels", labels_json(anomaly.labels)},
          {"series_id", anomaly.series_id},
          {"rank_score", suspect.rank_score},
          {"score", anomaly.score},
          {"value", anomaly.value},
          {"expected", anomaly.expected},
          {"time", render_rfc3339(anomaly.time)},
          {"first_seen", render_rfc3339(suspect.first_seen)},
          {"before_alert", suspect.first_seen <= input.alert.starts_at},
          {"offset_s", static_cast<std::int64_t>(seconds_between(input.alert.starts_at, suspect.first_seen))},
          {"anomalous_steps", suspect.anomalous_steps},
          {"label_overlap", suspect.label_overlap}};
}

Json alert_json(const model::Episode& alert, const model::Episode& other) {
  return {{"id", other.id},
          {"alert_name", other.alert_name},
          {"severity", other.severity},
          {"status", model::to_string(other.status)},
          {"starts_at", render_rfc3339(other.starts_at)},
          {"ends_at", time_json(other.ends_at)},
          {"offset_s", static_cast<std::int64_t>(seconds_between(alert.starts_at, other.starts_at))},
          {"label_overlap", label_overlap(alert.labels, other.labels)},
          {"labels", labels_json(other.labels)}};
}

std::string render_data(const EvidenceInput& input, const EvidenceReport& report) {
  Json data = Json::object();
  data["summary"] = report.summary;
  data["suspects"] = Json::array();
  for (std::size_t i = 0; i < std::min(report.suspects.size(), kSuspectsShown); ++i) {
    data["suspects"].push_back(suspect_json(input, report.suspects[i]));
  }
  data["suspects_total"] = report.suspects.size();
  data["other_alerts"] = Json::array();
  for (std::size_t i = 0; i < std::min(input.other_alerts.size(), kAlertsShown); ++i) {
    data["other_alerts"].push_back(alert_json(input.alert, input.other_alerts[i]));
  }
  data["other_alerts_total"] = input.other_alerts.size();
  data["recurrence"] = {{"episodes_24h", input.recurrence.episodes_24h},
                        {"episodes_30d", input.recurrence.episodes_30d},
                        {"previous_start", time_json(input.recurrence.previous_start)},
                        {"previous_end", time_json(input.recurrence.previous_end)}};
  data["window"] = {{"from", render_rfc3339(input.window_from)},
                    {"to", render_rfc3339(input.window_to)},
                    {"alert_start", render_rfc3339(input.alert.starts_at)}};
  return data.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// "db-1:9100" -> "db-1"
std::string_view host_part(std::string_view instance) { return instance.substr(0, instance.rfind(':')); }

}  // namespace

bool is_identifying_label(std::string_view name) {
  return std::find(kIdentifying.begin(), kIdentifying.end(), name) != kIdentifying.end();
}

double label_overlap(const model::Labels& alert, const model::Labels& other) {
  double total = 0;
  double same = 0;
  for (const model::Label& label : alert) {
    if (!is_identifying_label(label.name) || label.value.empty()) {
      continue;
    }
    total += 1;
    const std::string_view value = other.get(label.name);
    if (value == label.value) {
      same += 1;
    } else if (label.name == "instance" && !value.empty() && host_part(value) == host_part(label.value)) {
      same += 0.5;
    }
  }
  return total > 0 ? same / total : 0;
}

EvidenceReport build_evidence(const EvidenceInput& input) {
  EvidenceInput sorted = input;
  sort_alerts(sorted.alert, sorted.other_alerts);
  EvidenceReport report;
  report.suspects = rank_suspects(sorted);
  report.confidence = confidence_of(report.suspects);
  report.summary = summarise(sorted, report.suspects);
  report.data_json = render_data(sorted, report);
  return report;
}

}  // namespace sensus::analysis
