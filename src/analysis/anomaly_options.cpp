#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/config/section.hpp"

namespace sensus::analysis {

void describe(config::Section& section, AnomalyOptions& options) {
  section.choice("profile", options.profile, {"compact", "standard", "thorough"},
                 "What a series may cost in memory and time. docs/detection.md says what each finds.");
  section.integer("warmup", options.warmup, 20, 10'000, "Steps of a series that must be known before its first score.");
  section.number("false_alerts_per_week", options.false_alerts_per_week, 0.001, 10,
                 "False alerts of a series in a week that the alerting tier aims at, by each series' own past. Lower wakes fewer people "
                 "and finds less; the notable tier does not depend on it.");
  section.duration("history", options.history, 10min, std::chrono::hours{24 * 30},
                   "Stored past that a detector learns from when its series is first seen and no state of it is saved.");
  section.integer("series_max", options.series_max, 1, 1'000'000,
                  "Detectors kept in memory. Series beyond it are stored but not scored.");
  section.size("memory_max", options.memory_max, 1_MiB, 65'536_MiB,
               "Memory for all detectors, 24 KiB each with the standard profile, 8 KiB with compact. Where it is short, those of series that "
               "were idle for 15 minutes are saved and leave, then detectors become compact ones, the least recently used first; series "
               "beyond that are stored but not scored.");
  section.duration("state_save_interval", options.state_save_interval, 1min, 24h,
                "The state of every detector is saved once in this time, and at the end of the daemon. Shorter writes more to PostgreSQL, "
                "longer has more steps to replay after a crash; nothing is lost either way.");
  section.duration("owner_lease", options.owner_lease, 1s, 5min,
                   "One replica analyses at a time. When it dies or hangs another takes over after this; a stop hands over at once.");
}

}  // namespace sensus::analysis
