#pragma once

#include "series_scorer_internal.hpp"

#include "sensus/ml/detector.hpp"
#include "sensus/model/sample.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace sensus::analysis {

/// Figures of detectors on stored series. Without labels a false alert cannot be told from a true one: compare versions by them, on the
/// same window, and look at the anomalies themselves.
struct Quality {
  std::size_t series = 0;
  std::size_t points = 0;       ///< That could be flagged: after the warm-up.
  std::size_t notable = 0;      ///< Anomalies of either tier.
  std::size_t alerting = 0;
  std::size_t outside_band = 0; ///< Values outside of what was called ordinary.
  double series_days = 0;       ///< That `points` cover.
  double seconds = 0;           ///< Of one core, for all points.
  std::size_t fed = 0;          ///< All points, the warm-up's too.
  std::size_t bytes = 0;        ///< Of all detectors.
};

/// Feeds the steps of one series, oldest first, to a detector of these parameters.
void measure(const ml::DetectorParams& params, SeriesKind kind, const std::vector<model::Sample>& points, Quality& quality);
void add(Quality& total, const Quality& part);
/// {"series":..,"notable_per_series_day":..,...}
[[nodiscard]] std::string render_quality(const Quality& quality);

}  // namespace sensus::analysis
