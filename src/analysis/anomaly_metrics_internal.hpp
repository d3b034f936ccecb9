#pragma once

#include "sensus/telemetry/metrics.hpp"

namespace sensus::analysis {

struct AnomalyMetrics {
  explicit AnomalyMetrics(telemetry::Metrics& metrics);

  telemetry::Counter steps_scored;
  telemetry::Counter steps_late;
  telemetry::Counter steps_refused;
  telemetry::Counter steps_refused_memory;
  telemetry::Counter steps_failed;
  telemetry::Counter anomalies;
  telemetry::Counter malformed;
  telemetry::Counter failures_facts;
  telemetry::Counter failures_history;
  telemetry::Counter failures_score;
  telemetry::Counter failures_store;
  telemetry::Counter failures_publish;
  telemetry::Counter failures_save;
  telemetry::Counter failures_restore;
  telemetry::Histogram score_seconds;
  telemetry::Gauge detectors;
  telemetry::Gauge detectors_compact;
  telemetry::Gauge memory;
  telemetry::Counter hits;
  telemetry::Counter misses;
  telemetry::Gauge pending_steps;
  telemetry::Counter learned;
  telemetry::Counter evictions;
  telemetry::Counter shrunk;
  telemetry::Counter silences;
  telemetry::Counter silences_refuted;
  telemetry::Counter retrains;
  telemetry::Counter states_saved;
  telemetry::Counter states_restored;
  telemetry::Counter states_damaged;
  telemetry::Counter states_other_format;
  telemetry::Counter states_other_label;
  telemetry::Counter steps_replayed;
  telemetry::Counter feedback;
};

}  // namespace sensus::analysis
