#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/core/time.hpp"
#include "sensus/model/labels.hpp"
#include "sensus/model/selector.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sensus::model {

inline constexpr std::size_t kForecastSeriesMax = 10;
inline constexpr std::size_t kForecastPointsMax = 2000;  ///< A series.
inline constexpr std::chrono::seconds kForecastHorizonMax{30 * 86'400};
inline constexpr std::chrono::seconds kForecastStepMin{60};

/// How some series will go on.
struct ForecastQuery {
  SeriesId series = 0;  ///< That one; 0 = those of the selector.
  Selector selector = {};
  std::chrono::seconds horizon{86'400};
  std::chrono::seconds step{
      600};  ///< At least kForecastStepMin; the horizon has at most kForecastPointsMax of them.
  std::optional<double> limit = {};  ///< Tell when it is reached.
  bool is_limit_below = false;       ///< Reached by falling, else by rising.
};

/// One step of a forecast; nine of ten values lie between `low` and `high` when the series goes on
/// as it was.
struct ForecastPoint {
  Timestamp time;
  double expected = 0;
  double low = 0;
  double high = 0;
};

struct SeriesForecast {
  /// silent: nothing came for a day, so that there is nothing to go on from; unknown: too little is
  /// known of it.
  enum class Status { ok, silent, unknown };

  SeriesId id = 0;
  std::string metric_name = {};
  Labels labels = {};
  bool is_rate = false;  ///< Of a counter: everything is per second.
  Status status = Status::unknown;
  bool is_restored =
      false;  ///< By the saved state of its detector, else learned from stored samples.
  std::optional<Timestamp> learned_to = {};
  std::vector<ForecastPoint> points = {};
  // When the limit is reached; nothing within the horizon. By the expected value, and by the two
  // edges of the band.
  std::optional<Timestamp> limit_at = {};
  std::optional<Timestamp> limit_earliest = {};
  std::optional<Timestamp> limit_latest = {};
};

}  // namespace sensus::model
