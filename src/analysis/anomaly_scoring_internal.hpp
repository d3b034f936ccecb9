#pragma once

#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/model/analysis.hpp"
#include "sensus/model/sample.hpp"

#include "detector_cache_internal.hpp"

#include <atomic>
#include <string>
#include <vector>

namespace sensus::analysis {

/// A closed step to be scored, and where it came from.
struct PendingStep {
  std::size_t event = 0;  ///< Index into the worker's pending events.
  std::size_t point = 0;  ///< Index into the event's points.
  model::Sample sample;
};

/// What is to be done for one series.
struct SeriesTask {
  SeriesKey key;
  std::chrono::seconds step{60};
  std::vector<PendingStep> steps;         ///< By time.
  SeriesKind kind = SeriesKind::values;   ///< Of a detector that is to be made or restored, as `gates`.
  ml::Gates gates;
  ml::Profile profile = ml::Profile::standard;
  std::unique_ptr<SeriesScorer> scorer;   ///< nullptr: made anew. Fed `history` first.
  std::vector<model::Sample> history;     ///< Before the first step, by time.
};

struct FoundAnomaly {
  std::size_t event = 0;
  model::Anomaly anomaly;
};

/// One job of the cpu pool. It owns the detectors it works on, so a job that nobody waits for any more harms nothing.
struct ScoreJob {
  std::vector<SeriesTask> tasks;
  ml::DetectorParams params;
  std::string model_version;
  std::atomic<bool> cancelled = false;
  std::vector<FoundAnomaly> found;
  std::size_t scored = 0;
  std::size_t late = 0;    ///< Not later than the detector's last: scored before.
  std::vector<SeriesKey> learned;  ///< Detectors made.
  std::size_t replayed = 0; ///< Steps of the past that restored detectors were fed.
};

[[nodiscard]] ml::DetectorParams detector_params(const AnomalyOptions& options);
/// Names what states of such detectors have in common: nothing else reads them.
[[nodiscard]] std::string key_of(const ml::DetectorParams& params);
/// With another profile.
[[nodiscard]] ml::DetectorParams with_profile(const ml::DetectorParams& params, ml::Profile profile);
/// Of this series: its own seed, everything else as given.
[[nodiscard]] ml::DetectorParams params_of(const ml::DetectorParams& params, SeriesKey key);
/// Differs from series to series, and is the same for a series always.
[[nodiscard]] std::uint64_t seed_of(SeriesKey key);
/// Warms and scores; stops early when cancelled.
void run(ScoreJob& job);
[[nodiscard]] model::Anomaly make_anomaly(SeriesKey key, Timestamp time, const SeriesScorer::Scored& scored);

}  // namespace sensus::analysis
