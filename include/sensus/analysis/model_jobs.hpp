#pragma once

#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/detector_states.hpp"
#include "sensus/storage/jobs.hpp"
#include "sensus/storage/samples.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace sensus::config {
class Section;
}

namespace sensus::analysis {

struct ModelOptions {
  std::string time_zone = "UTC";
  std::string retrain_at = "02:00";
  std::chrono::milliseconds evaluate_interval{6 * 3'600'000};
  std::int64_t measured_series = 200;                     ///< How many series figures are measured on.
  std::chrono::milliseconds measured_window{48 * 3'600'000};
  std::int64_t versions_kept = 30;
};
void describe(config::Section& section, ModelOptions& options);

/// Makes the schedule's jobs and runs jobs, one at a time over all replicas: retraining at night, evaluation several times a day, training
/// by hand. A due time that passed while no replica ran is caught up once. **Threading**: reactor; work on the cpu pool in small bites.
/// **Lifetime**: `stop`, wait for `run` to end, destroy. **Errors/limits**: a job that fails is told in its row, a metric and a log line;
/// an unfinished one is taken up by whoever claims it when its lease has ended.
class ModelJobs {
 public:
  struct Deps {
    storage::JobStore& jobs;
    storage::ModelStore& models;
    storage::SampleStore& samples;
    storage::DetectorStateStore& states;
    AnomalyWorker& worker;
    runtime::BlockingPool& cpu;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    std::string owner;           ///< Names this process; differs between replicas.
    AnomalyOptions configured;   ///< What versions are made of where a job does not say otherwise.
    std::function<bool()> may_run = {};  ///< Asked before a job is claimed: where detectors are, there jobs run. Empty: always.
  };
  /// `invalid_input` for a zone or a time of day that is none.
  [[nodiscard]] static Result<std::unique_ptr<ModelJobs>> make(Deps deps, ModelOptions options);
  ~ModelJobs();
  ModelJobs(const ModelJobs&) = delete;
  ModelJobs& operator=(const ModelJobs&) = delete;

  [[nodiscard]] runtime::Task run();
  /// Look for jobs now.
  void wake();
  void stop();

 private:
  struct Impl;
  explicit ModelJobs(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
