#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/config/section.hpp"

namespace sensus::analysis {

void describe(config::Section& section, AnomalyOptions& options) {
  section.number("anomaly_threshold", options.threshold, 0.5, 0.95,
                 "Isolation Forest score at and above which a step is an anomaly, if it also stands out of what the series has shown. "
                 "0.5 is an ordinary step; lower finds more and alarms more.");
  section.integer("trees", options.trees, 10, 500, "Trees of one series' forest. More cost memory and time and steady the score.");
  section.integer("subsample", options.subsample, 16, 1024,
                  "Steps each tree learns from. Memory of a detector grows with trees times this.");
  section.integer("warmup", options.warmup, 20, 1000, "Steps of a series that must be known before its first score.");
  section.duration("history", options.history, 10min, std::chrono::hours{24 * 30},
                   "Stored past that a detector learns from when its series is first seen after a start; at most its 1024 latest steps.");
  section.integer("series_max", options.series_max, 1, 1'000'000,
                  "Detectors kept in memory, about 30 KiB each with the defaults. Series beyond it are stored but not scored.");
  section.duration("retrain_interval", options.retrain_interval, 1min, std::chrono::hours{24 * 7},
                   "Every detector relearns from its recent past this often, and a new model version is recorded.")
      .duration("state_save_interval", options.state_save_interval, 1min, 24h,
                "The state of every detector is saved once in this time, and at the end of the daemon. Shorter writes more to PostgreSQL, "
                "longer has more steps to replay after a crash; nothing is lost either way.");
}

}  // namespace sensus::analysis
