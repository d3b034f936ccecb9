#pragma once

#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/core/ids.hpp"
#include "sensus/model/forecast.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/detector_states.hpp"
#include "sensus/storage/metadata.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <chrono>
#include <memory>
#include <vector>

namespace sensus::analysis {

/// Forecasts of stored series, by what their detectors know. Any replica can answer: it takes the
/// saved state of the detector and brings it up to date with the steps stored since, or learns from
/// the stored past (AnomalyOptions::history) where there is no sound state; nothing is kept and no
/// detector in use is touched. Counters are learned as rates. **Threading**: reactor; detectors on
/// the cpu pool.
/// **Errors/limits**: `not_found` for no series, `invalid_input` for more than ten or bounds of
/// model::ForecastQuery that do not hold; `overloaded` while four others are under way; as the
/// stores and the pool.
class Forecaster {
 public:
  struct Deps {
    storage::SampleStore& samples;
    storage::MetadataStore& metadata;
    storage::ModelStore& models;
    storage::DetectorStateStore& states;
    runtime::BlockingPool& cpu;
    const Clock& clock;
    telemetry::Metrics& metrics;
  };
  /// `step`: of the analysis.
  Forecaster(Deps deps, AnomalyOptions options, std::chrono::seconds step);
  ~Forecaster();
  Forecaster(const Forecaster&) = delete;
  Forecaster& operator=(const Forecaster&) = delete;

  /// By series id.
  [[nodiscard]] runtime::Async<std::vector<model::SeriesForecast>> forecast(
      Deadline deadline, TenantId tenant, model::ForecastQuery query);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
