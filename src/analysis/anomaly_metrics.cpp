#include "anomaly_metrics_internal.hpp"

namespace sensus::analysis {
namespace {

telemetry::Counter steps(telemetry::Metrics& metrics, std::string_view outcome) {
  return metrics.counter("sensus_analysis_steps_total",
                         "Closed steps by what became of them: scored, late (scored before), refused (over series_max), refused_memory (over memory_max), failed.",
                         {{"outcome", outcome}});
}

telemetry::Counter failures(telemetry::Metrics& metrics, std::string_view stage) {
  return metrics.counter("sensus_analysis_anomaly_failures_total",
                         "Failures of the anomaly worker by stage; all but malformed payloads are tried again.", {{"stage", stage}});
}

telemetry::Counter refused_states(telemetry::Metrics& metrics, std::string_view reason) {
  return metrics.counter("sensus_analysis_states_refused_total",
                         "Saved states that were not used: damaged, of another format, or of another series or model.",
                         {{"reason", reason}});
}

telemetry::Counter lookups(telemetry::Metrics& metrics, std::string_view result) {
  return metrics.counter("sensus_analysis_detector_lookups_total",
                         "Series with steps to score, by whether their detector was in memory (hit) or had to be restored or learned (miss).",
                         {{"result", result}});
}

telemetry::Counter silence(telemetry::Metrics& metrics, std::string_view outcome) {
  return metrics.counter("sensus_analysis_silences_total",
                         "Series from which nothing came for long: told as an anomaly, or refuted (ended by its sender, or samples are stored).",
                         {{"outcome", outcome}});
}

}  // namespace

AnomalyMetrics::AnomalyMetrics(telemetry::Metrics& metrics)
    : steps_scored(steps(metrics, "scored")),
      steps_late(steps(metrics, "late")),
      steps_refused(steps(metrics, "refused")),
      steps_refused_memory(steps(metrics, "refused_memory")),
      steps_failed(steps(metrics, "failed")),
      anomalies(metrics.counter("sensus_analysis_anomalies_total", "Anomalies committed.")),
      malformed(metrics.counter("sensus_analysis_malformed_entries_total", "Entries of the metrics topic that were not understood.")),
      failures_facts(failures(metrics, "facts")),
      failures_history(failures(metrics, "history")),
      failures_score(failures(metrics, "score")),
      failures_store(failures(metrics, "store")),
      failures_publish(failures(metrics, "publish")),
      failures_save(failures(metrics, "save")),
      failures_restore(failures(metrics, "restore")),
      score_seconds(metrics.histogram("sensus_analysis_score_seconds", "Time of one scoring job, with its wait for a thread.",
                                      telemetry::latency_buckets())),
      detectors(metrics.gauge("sensus_analysis_detectors_series", "Series with a detector in memory.")),
      detectors_compact(metrics.gauge("sensus_analysis_detectors_compact_series", "Of these, those of the profile compact.")),
      memory(metrics.gauge("sensus_analysis_detectors_bytes", "What the detectors in memory are reckoned to take, full-grown.")),
      hits(lookups(metrics, "hit")),
      misses(lookups(metrics, "miss")),
      pending_steps(metrics.gauge("sensus_analysis_pending_steps", "Steps in memory whose effect is not committed yet.")),
      learned(metrics.counter("sensus_analysis_detectors_learned_total", "Detectors made at first sight of a series.")),
      evictions(metrics.counter("sensus_analysis_detector_evictions_total", "Detectors dropped for a series in use.")),
      shrunk(metrics.counter("sensus_analysis_detectors_shrunk_total", "Detectors that became compact ones because memory was short.")),
      silences(silence(metrics, "told")),
      silences_refuted(silence(metrics, "refuted")),
      retrains(metrics.counter("sensus_analysis_retrains_total", "Detectors retrained on schedule.")),
      states_saved(metrics.counter("sensus_analysis_states_saved_total", "States of detectors committed to PostgreSQL.")),
      states_restored(metrics.counter("sensus_analysis_states_restored_total", "Detectors that go on from a saved state.")),
      states_damaged(refused_states(metrics, "damaged")),
      states_other_format(refused_states(metrics, "other_format")),
      states_other_label(refused_states(metrics, "other_label")),
      steps_replayed(metrics.counter("sensus_analysis_steps_replayed_total",
                                     "Stored steps that restored detectors were brought up to date with.")),
      feedback(metrics.counter("sensus_analysis_feedback_total", "What people said of anomalies, learned by the detector of the series.")) {}

}  // namespace sensus::analysis
