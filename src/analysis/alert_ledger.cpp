#include "alert_ledger_internal.hpp"

#include "digits_internal.hpp"

#include "sensus/analysis/group_options.hpp"
#include "sensus/core/parse_number.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace sensus::analysis {
namespace {

/// What is over is no news.
constexpr std::chrono::hours kNewsFor{1};
constexpr std::chrono::hours kSilence{1};
constexpr std::chrono::hours kRememberFor{2};
/// An alert that goes on is told this often, with the newest value.
constexpr std::chrono::minutes kRepeat{5};
constexpr std::string_view kGap = "gap";
constexpr const char* kSeriesAnnotation = "sensus_series_id";
constexpr const char* kTimeAnnotation = "time";

/// metric{name="value",...}
std::string name_of(const model::SeriesName& series) {
  std::string out = series.metric_name;
  for (const model::Label& label : series.labels) {
    out += (out.size() == series.metric_name.size() ? "{" : ",") + label.name + "=\"" + label.value + "\"";
  }
  return series.labels.empty() ? out : out + "}";
}

model::AlertArrival arrival_of(const AlertLedger::Watch& watch) {
  model::AlertArrival arrival;
  arrival.status = watch.firing ? model::AlertStatus::firing : model::AlertStatus::resolved;
  arrival.labels = watch.labels;
  arrival.annotations = watch.annotations;
  arrival.starts_at = watch.starts_at;
  if (!watch.firing) {
    arrival.ends_at = watch.ends_at;
  }
  return arrival;
}

/// "96 to 104.5"
void read_band(std::string_view text, AlertLedger::Watch& watch) {
  const std::size_t middle = text.find(" to ");
  if (middle == std::string_view::npos) {
    return;
  }
  watch.band_low = parse_number<double>(text.substr(0, middle)).value_or(0);
  watch.band_high = parse_number<double>(text.substr(middle + 4)).value_or(0);
}

/// Still unlike what was ordinary when the alert began, whatever the detector has grown used to since.
bool is_odd(const JudgedStep& step, const AlertLedger::Watch& watch) {
  if (step.anomaly) {
    return true;
  }
  if (step.time - watch.odd_at > AnomalyAlerts::kHoldFor || watch.labels.get("kind") == kGap) {
    return false;  // That is how it is now; and a series that arrives again is silent no more.
  }
  const bool still = watch.labels.get("kind") == "flat_line" && short_digits(step.value) == watch.annotations.get("value");
  return still || step.value < watch.band_low || step.value > watch.band_high;
}

/// What is told of a later anomaly: its own value, and the band of the beginning.
model::Labels later_annotations(const AlertLedger::Watch& watch, model::Anomaly anomaly) {
  anomaly.band_low = watch.band_low;
  anomaly.band_high = watch.band_high;
  return alert_annotations(watch.series, anomaly);
}

}  // namespace

bool raises_no_alert(const model::SeriesName& series) {
  // The share of anomalous series follows anomalies, which no alert makes.
  const bool own = series.metric_name.starts_with("sensus_") && series.metric_name != kAnomalousShareMetric;
  return own || series.metric_name == "ALERTS" || series.metric_name == "ALERTS_FOR_STATE" ||
         series.labels.find("alertname") != nullptr;
}

model::Labels alert_labels(const model::SeriesName& series, const model::Anomaly& anomaly) {
  model::Labels labels = series.labels;
  if (labels.find("severity") == nullptr) {
    labels.set("severity", "warning");
  }
  labels.set("alertname", std::string(kAnomalyAlertName));
  labels.set("metric", series.metric_name);
  labels.set("kind", anomaly.kind);
  return labels;
}

model::Labels alert_annotations(const model::SeriesName& series, const model::Anomaly& anomaly) {
  const std::string band = short_digits(anomaly.band_low) + " to " + short_digits(anomaly.band_high);
  const std::string since = render_rfc3339(anomaly.since.value_or(anomaly.time));
  model::Labels annotations;
  annotations.set("summary", name_of(series) + " is unlike its past (" + anomaly.kind + ")");
  annotations.set("description", anomaly.kind == kGap ? "nothing came of " + name_of(series) + " since " + since : name_of(series) + " is " + short_digits(anomaly.value) + " where " + short_digits(anomaly.expected) +
                                     " was expected, ordinary is " + band + ", since " + since);
  annotations.set("value", short_digits(anomaly.value));
  annotations.set("expected", short_digits(anomaly.expected));
  annotations.set("band", band);
  annotations.set("since", since);
  annotations.set("score", short_digits(anomaly.score));
  annotations.set(kTimeAnnotation, render_rfc3339(anomaly.time));
  annotations.set(kSeriesAnnotation, std::to_string(anomaly.series_id));
  return annotations;
}

void AlertLedger::raise(const JudgedStep& step, const model::SeriesName& series, Timestamp now, Watch& watch, Change& change) {
  watch.firing = true;
  watch.series = series;
  watch.labels = alert_labels(series, *step.anomaly);
  watch.annotations = alert_annotations(series, *step.anomaly);
  // Not since when it is odd, which may be long before: a report looks for what happened around the start.
  watch.starts_at = step.time;
  watch.band_low = step.anomaly->band_low;
  watch.band_high = step.anomaly->band_high;
  watch.odd_at = step.time;
  watch.normal = 0;
  watch.told_at = now;
  change.arrivals.push_back(arrival_of(watch));
  ++change.raised;
}

void AlertLedger::resolve(Timestamp at, Timestamp now, Watch& watch, Change& change) {
  watch.firing = false;
  watch.ends_at = std::max(at, watch.starts_at);
  watch.normal = 0;
  watch.told_at = now;
  change.arrivals.push_back(arrival_of(watch));
  ++change.resolved;
}

void AlertLedger::go_on(const JudgedStep& step, Timestamp now, Watch& watch, Change& change) const {
  if (!is_odd(step, watch)) {
    watch.normal_from = watch.normal == 0 ? step.time : watch.normal_from;
    if (++watch.normal >= resolve_steps_) {
      resolve(watch.normal_from, now, watch, change);
    }
    return;
  }
  watch.normal = 0;
  if (step.anomaly) {
    watch.odd_at = step.time;
    watch.annotations = later_annotations(watch, *step.anomaly);
  }
  if (now - watch.told_at >= kRepeat) {
    watch.told_at = now;
    change.arrivals.push_back(arrival_of(watch));
  }
}

void AlertLedger::observe_one(const JudgedStep& step, const Names& names, Timestamp now, std::size_t firing, Watch& watch,
                              Change& change) const {
  if (step.time <= watch.seen || (!step.anomaly && std::isnan(step.value))) {
    return;  // It was told before, or was not judged.
  }
  watch.seen = step.time;
  watch.heard_at = now;
  if (watch.firing) {
    go_on(step, now, watch, change);
    return;
  }
  if (!step.anomaly) {
    return;
  }
  const auto name = names.find(step.series);
  if (step.anomaly->tier != "alerting" || name == names.end() || now - step.time > kNewsFor) {
    return;
  }
  if (raises_no_alert(name->second)) {
    ++change.own;
  } else if (firing + change.raised >= AnomalyAlerts::kFiringMax + change.resolved) {
    ++change.over_limit;
  } else {
    raise(step, name->second, now, watch, change);
  }
}

AlertLedger::Change AlertLedger::observe(TenantId tenant, std::vector<JudgedStep> steps, const Names& names, Timestamp now) const {
  // A step that came twice is anomalous if either was: the other one was too late to be scored.
  std::ranges::stable_sort(steps, {}, [](const JudgedStep& step) { return std::tuple(step.series, step.time, !step.anomaly); });
  const std::size_t firing_before = firing();
  Change change;
  for (const JudgedStep& step : steps) {
    const SeriesKey key{tenant, step.series};
    const auto [place, fresh] = change.watches.try_emplace(key);
    if (const auto known = watches_.find(key); fresh && known != watches_.end()) {
      place->second = known->second;
    }
    observe_one(step, names, now, firing_before, place->second, change);
  }
  return change;
}

AlertLedger::Change AlertLedger::sweep(Timestamp now, bool all) const {
  Change change;
  for (const auto& [key, watch] : watches_) {
    if (watch.firing && (all || now - watch.heard_at > kSilence)) {
      Watch ended = watch;
      resolve(ended.seen, now, ended, change);
      change.watches.emplace(key, std::move(ended));
    }
  }
  return change;
}

void AlertLedger::apply(Change change) {
  for (auto& [key, watch] : change.watches) {
    watches_[key] = std::move(watch);
  }
}

void AlertLedger::prune(Timestamp now) {
  std::erase_if(watches_, [now](const auto& entry) { return !entry.second.firing && now - entry.second.heard_at > kRememberFor; });
}

void AlertLedger::restore(TenantId tenant, const model::Episode& episode, Timestamp now) {
  const std::optional<SeriesId> series = parse_number<SeriesId>(episode.annotations.get(kSeriesAnnotation));
  if (episode.alert_name != kAnomalyAlertName || !series) {
    return;
  }
  Watch watch;
  watch.firing = episode.status == model::AlertStatus::firing;
  watch.labels = episode.labels;
  watch.annotations = episode.annotations;
  watch.series = {std::string(episode.labels.get("metric")), episode.labels};
  for (const char* added : {"alertname", "metric", "kind"}) {
    watch.series.labels.erase(added);
  }
  watch.starts_at = episode.starts_at;
  watch.ends_at = episode.ends_at.value_or(Timestamp{});
  const auto told = parse_rfc3339(episode.annotations.get(kTimeAnnotation));
  watch.seen = std::max(watch.firing ? episode.starts_at : watch.ends_at, told ? *told : episode.starts_at);
  watch.odd_at = told ? *told : episode.starts_at;
  read_band(episode.annotations.get("band"), watch);
  watch.heard_at = now;
  watch.told_at = episode.last_received_at;
  const SeriesKey key{tenant, *series};
  const auto known = watches_.find(key);
  if (known == watches_.end() || known->second.starts_at < watch.starts_at) {
    watches_[key] = std::move(watch);
  }
}

bool AlertLedger::is_firing(SeriesKey key) const {
  const auto found = watches_.find(key);
  return found != watches_.end() && found->second.firing;
}

std::size_t AlertLedger::firing() const {
  return static_cast<std::size_t>(std::ranges::count_if(watches_, [](const auto& entry) { return entry.second.firing; }));
}

}  // namespace sensus::analysis
