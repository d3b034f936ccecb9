#pragma once

#include "sensus/ml/detector.hpp"
#include "sensus/model/forecast.hpp"
#include "sensus/model/sample.hpp"

#include "sealed_state_internal.hpp"
#include "series_scorer_internal.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace sensus::analysis {

/// What the cpu pool does for a forecast. It owns all that it works on, so that a job that nobody
/// waits for any more harms nothing.
struct ForecastJob {
  struct Series {
    model::SeriesForecast forecast;          ///< With id, name and labels.
    SeriesKind kind = SeriesKind::values;
    StateLabel label;                        ///< Of the saved state.
    std::string bytes;                       ///< Empty = none is saved.
    std::unique_ptr<SeriesScorer> scorer;    ///< As saved; none before it is learned.
    std::vector<model::Sample> steps;        ///< Stored ones, to be learned.
  };
  std::vector<Series> series;
  ml::DetectorParams params;
  model::ForecastQuery query;
  Timestamp now;
  std::atomic<bool> cancelled = false;
};

/// Detectors of the sound states.
void open_states(ForecastJob& job);
/// Learns what is stored and looks ahead.
void run(ForecastJob& job);

}  // namespace sensus::analysis
