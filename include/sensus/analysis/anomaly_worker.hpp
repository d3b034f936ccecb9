#pragma once

#include "sensus/core/clock.hpp"
#include "sensus/ml/detector.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/stream/consumer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::analysis {

struct AnomalyOptions {
  double threshold = 0.62;
  std::int64_t trees = 50;
  std::int64_t subsample = 128;
  std::int64_t warmup = 60;                                    ///< Steps of a series before its first score.
  std::chrono::milliseconds history{24 * 3'600'000};           ///< Stored past a detector learns from.
  std::int64_t series_max = 20'000;                            ///< Detectors in memory; least recently used go first.
  std::chrono::milliseconds retrain_interval{6 * 3'600'000};
};
void describe(config::Section& section, AnomalyOptions& options);

/// Scores closed steps: a detector a series, learned from stored history at first sight. **Threading**: reactor; training on the cpu pool.
/// Idempotent: a step not later than the detector's last is not scored again, and rows are unique by (series, time).
class AnomalyWorker {
 public:
  struct Deps {
    storage::SampleStore& samples;
    storage::AnalysisStore& analyses;
    storage::ModelStore& models;
    runtime::BlockingPool& cpu;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    std::function<void()> on_outbox;
  };
  AnomalyWorker(Deps deps, AnomalyOptions options);
  ~AnomalyWorker();
  AnomalyWorker(const AnomalyWorker&) = delete;
  AnomalyWorker& operator=(const AnomalyWorker&) = delete;

  /// stream::Consumer::Handler of the metrics topic.
  [[nodiscard]] runtime::Async<std::vector<stream::Disposition>> handle(std::vector<stream::Entry> entries);
  /// Publishes a model version at start and after each retraining on schedule; ends after `stop`.
  [[nodiscard]] runtime::Task run_schedule();
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
