#pragma once

#include "sensus/analysis/rules.hpp"
#include "sensus/core/byte_size.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/ml/detector.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/detector_states.hpp"
#include "sensus/storage/feedback.hpp"
#include "sensus/storage/metadata.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/stream/consumer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::analysis {

class AnomalyAlerts;

struct AnomalyOptions {
  std::string profile = "standard";                            ///< What a series may cost: see ml::Profile.
  std::int64_t warmup = 60;                                    ///< Steps of a series before its first score.
  double false_alerts_per_week = 0.14;                         ///< Of a series, that the alerting tier aims at.
  std::chrono::milliseconds history{24 * 3'600'000};           ///< Stored past a detector learns from.
  std::int64_t series_max = 20'000;                            ///< Detectors in memory; see AnomalyWorker.
  ByteSize memory_max = 256_MiB;                                ///< Of them all.
  std::chrono::milliseconds state_save_interval{3'600'000};
  std::chrono::milliseconds owner_lease{12'000};               ///< See Ownership.
};
void describe(config::Section& section, AnomalyOptions& options);

/// Scores closed steps: a detector a series, restored from its saved state at first sight and brought up to date with the steps since, or
/// learned from stored history where there is none or it is damaged or of another model. **Threading**: reactor; training on the cpu pool.
/// Idempotent: a step not later than the detector's last is not scored again, and rows are unique by (series, time).
/// **Errors/limits**: while storage is away, entries stay pending in the stream and their steps and results in memory (at most 200,000
/// steps), so that nothing is scored twice or forgotten. With `series_max` detectors in use or `memory_max` taken, the least recently used one is
/// saved and goes when it has been idle for 15 minutes; when none has and memory is short, detectors become compact ones; when that is not
/// enough, further series are not scored and counted, because evicting busy ones would only make all of them relearn all the time.
class AnomalyWorker {
 public:
  struct Deps {
    storage::SampleStore& samples;
    storage::AnalysisStore& analyses;
    storage::ModelStore& models;
    storage::DetectorStateStore& states;
    storage::FeedbackStore& feedback;
    storage::MetadataStore& metadata;
    runtime::BlockingPool& cpu;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    std::function<void()> on_outbox;
    Rules rules = {};
    /// Whether this replica has the series: only then is their silence one.
    std::function<bool()> owns = {};
    AnomalyAlerts* alerts = nullptr;  ///< Hears of steps before their effect is committed. May be null.
  };
  AnomalyWorker(Deps deps, AnomalyOptions options);
  ~AnomalyWorker();
  AnomalyWorker(const AnomalyWorker&) = delete;
  AnomalyWorker& operator=(const AnomalyWorker&) = delete;

  /// stream::Consumer::Handler of the metrics topic.
  [[nodiscard]] runtime::Async<std::vector<stream::Disposition>> handle(std::vector<stream::Entry> entries);
  /// Has every detector in memory rebuild its forests, a few at a time; returns how many did.
  [[nodiscard]] runtime::Async<std::size_t> retrain();
  /// Publishes the configured model at start unless it or one that was activated by hand is active; then follows the active version,
  /// within seconds. Detectors of a version with other parameters go on from its saved states or learn anew. Ends after `stop`.
  [[nodiscard]] runtime::Task run_schedule();
  /// Have `run_schedule` look at the active version now.
  void look_at_version();
  /// Tells of series from which nothing came for long, once storage has confirmed that nothing did: an anomaly of kind `gap` each.
  [[nodiscard]] runtime::Async<> look_for_silences(Deadline deadline);
  /// The same every 15 s while this replica has the series; ends after `stop`.
  [[nodiscard]] runtime::Task run_silences();
  /// Saves the states of the detectors, each once in `state_save_interval`; ends after `stop`.
  [[nodiscard]] runtime::Task run_saving();
  /// Saves what is new of all detectors; `timeout` when the deadline came first. To be called when nothing is handled any more.
  [[nodiscard]] runtime::Async<> save_all(Deadline deadline);
  /// Forgets detectors and what is not committed, when nothing is being handled: another replica has gone on with the series.
  [[nodiscard]] runtime::Async<> forget_all(Deadline deadline);
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
