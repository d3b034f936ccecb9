#include "instruments_internal.hpp"

#include "sensus/core/assert.hpp"

#include <algorithm>

namespace sensus::ingest {
namespace {

Instruments::PerKind per_kind(telemetry::Metrics& metrics, std::string_view kind) {
  Instruments::PerKind out;
  out.seconds = metrics.histogram("sensus_processing_duration_seconds", "From a parsed body to its commit.", telemetry::latency_buckets(),
                                  {{"kind", kind}});
  constexpr std::array<std::string_view, 3> kReasons{"overloaded", "stopping", "timeout"};
  for (std::size_t i = 0; i < kReasons.size(); ++i) {
    out.refused[i] = metrics.counter("sensus_ingest_refused_requests_total", "Requests answered 503 before their commit was known.",
                                     {{"kind", kind}, {"reason", kReasons[i]}});
  }
  return out;
}

}  // namespace

Instruments::Instruments(telemetry::Metrics& m)
    : metrics(per_kind(m, "metrics")),
      alerts(per_kind(m, "alerts")),
      metrics_received(m.counter("sensus_metrics_received_total", "Samples committed.")),
      queue_bytes(m.gauge("sensus_ingest_queue_bytes", "Memory of samples that wait for their commit.")),
      queue_rows(m.gauge("sensus_ingest_queue_rows", "Samples that wait for their commit.")),
      flush_rows(m.histogram("sensus_ingest_flush_rows", "Samples of one group commit.", {1, 10, 100, 1000, 10'000, 100'000, 1'000'000})),
      flush_seconds(m.histogram("sensus_ingest_flush_seconds", "Duration of one group commit.", telemetry::latency_buckets())),
      cache_entries(m.gauge("sensus_ingest_series_cache_entries", "Series whose id is cached.")),
      cache_hits(m.counter("sensus_ingest_series_cache_hits_total", "Samples of series that were cached.")),
      cache_misses(m.counter("sensus_ingest_series_cache_misses_total", "Samples of series that the database had to name.")),
      cache_evictions(m.counter("sensus_ingest_series_cache_evictions_total", "Series dropped from the full cache.")),
      cache_expired(m.counter("sensus_ingest_series_cache_expired_total", "Series dropped from the cache because they were idle.")),
      active_series_limit(m.gauge("sensus_ingest_active_series_limit", "Active series that a tenant may have (ingest.active_series_max).")),
      refused_samples(m.counter("sensus_ingest_refused_samples_total", "Samples that were not stored; their senders do not repeat them.",
                                {{"reason", "series_limit"}})),
      truncated_alerts(m.counter("sensus_ingest_truncated_alerts_total", "Alerts that Alertmanager said it left out (max_alerts).")),
      alerts_in_flight(m.gauge("sensus_ingest_alert_requests_in_flight", "Alert requests that wait for their commit.")),
      step_series(m.gauge("sensus_ingest_step_series", "Series with an accumulator of analysis steps.")),
      step_points_waiting(m.gauge("sensus_ingest_step_points_waiting", "Closed analysis steps that wait to be published.")),
      step_points(m.counter("sensus_ingest_step_points_total", "Closed analysis steps written to the outbox.")),
      step_points_dropped(m.counter("sensus_ingest_step_points_dropped_total", "Closed analysis steps given up because too many waited.")),
      step_late_samples(m.counter("sensus_ingest_step_late_samples_total", "Samples stored but too late for their analysis step.")),
      step_rebuild_failures(m.counter("sensus_ingest_step_rebuild_failures_total", "Failed attempts to rebuild open analysis steps at start.")) {
  constexpr std::string_view kAlerts = "sensus_alerts_received_total";
  constexpr std::string_view kAlertsHelp = "Alerts received, by what became of them.";
  constexpr std::array<std::string_view, 4> kOutcomes{"created", "resolved", "reopened", "duplicate"};
  for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
    alert_outcomes_[i] = m.counter(kAlerts, kAlertsHelp, {{"outcome", kOutcomes[i]}});
  }
  alerts_quarantined = m.counter(kAlerts, kAlertsHelp, {{"outcome", "quarantined"}});
  alerts_failed = m.counter(kAlerts, kAlertsHelp, {{"outcome", "failed"}});
  for (std::size_t i = 0; i < quarantined_.size(); ++i) {
    quarantined_[i] = m.counter("sensus_ingest_quarantined_alerts_total", "Alerts put into the quarantine, by reason.",
                                {{"code", model::kQuarantineCodes[i]}});
  }
  for (std::size_t i = 0; i < kFlushErrors.size(); ++i) {
    flush_failures_[i] = m.counter("sensus_ingest_flush_failures_total", "Group commits that failed; their senders retry.",
                                   {{"code", to_string(kFlushErrors[i])}});
  }
}

const telemetry::Counter& Instruments::flush_failures(Errc code) const {
  const auto at = std::find(kFlushErrors.begin(), kFlushErrors.end(), code);
  return at == kFlushErrors.end() ? flush_failures_.back() : flush_failures_[static_cast<std::size_t>(at - kFlushErrors.begin())];
}

const telemetry::Counter& Instruments::alert_outcome(model::MergeAction action) const {
  const auto index = static_cast<std::size_t>(action);
  SENSUS_ASSERT(index < alert_outcomes_.size());
  return alert_outcomes_[index];
}

const telemetry::Counter& Instruments::quarantined(std::string_view code) const {
  const auto at = std::find(model::kQuarantineCodes.begin(), model::kQuarantineCodes.end(), code);
  SENSUS_ASSERT(at != model::kQuarantineCodes.end());
  return quarantined_[static_cast<std::size_t>(at - model::kQuarantineCodes.begin())];
}

}  // namespace sensus::ingest
