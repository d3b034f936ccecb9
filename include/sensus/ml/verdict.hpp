#pragma once

#include "sensus/core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::ml {

/// What is odd about a point, in the words of an operator.
enum class AnomalyKind : std::uint8_t {
  none,
  point,          ///< One value off its neighbours.
  level,          ///< The level moved and stays.
  variance,       ///< The spread changed.
  seasonal,       ///< Not what this hour of this day usually brings.
  range,          ///< Outside anything seen.
  flat_line,      ///< A moving series stopped moving.
  gap,            ///< A series stopped arriving.
  unseen_season,  ///< Odd only because this part of the week was never seen before.
};
/// "point", "flat_line", ...; "" for none. A column of text everywhere: names never change.
[[nodiscard]] std::string_view name_of(AnomalyKind kind);
[[nodiscard]] std::optional<AnomalyKind> parse_anomaly_kind(std::string_view name);

enum class Tier : std::uint8_t {
  none,
  notable,   ///< Kept as evidence; cheap to be wrong.
  alerting,  ///< Few and trusted: may wake somebody.
};
[[nodiscard]] std::string_view name_of(Tier tier);

/// What one feature of one view adds to the evidence. Names are static.
struct Contribution {
  std::string_view
      view;  ///< "shape", "residual", "drift", "week", "repeats", "range", "sustained", ...
  std::string_view feature;  ///< "mean", "deviation", "shift", ...
  double value = 0;     ///< Of the feature, in the series' unit unless its name says otherwise.
  double evidence = 0;  ///< Its share; the shares of a verdict sum to about `Verdict::evidence`.
};

/// What the detector says of one point.
struct Verdict {
  bool is_anomaly = false;  ///< `tier` is not none.
  double score = 0;         ///< 0 normal to 1 certain; notable at `threshold`.
  double threshold = 0.5;
  double expected = 0;  ///< What this moment should bring: season and level; the value itself
                        ///< before there is a past.
  double band_low = 0;  ///< Ordinary values lie between these two.
  double band_high = 0;
  AnomalyKind kind = AnomalyKind::none;
  Tier tier = Tier::none;
  double evidence = 0;  ///< Decades of improbability before mapping to the score, filtered or not.
  double notable_evidence =
      0;  ///< What was needed for either tier, feedback and calibration included.
  double alerting_evidence = 0;
  Timestamp since{};  ///< When the oddness began; the point's own time at the earliest sign. Only
                      ///< of an anomaly.
  std::vector<std::pair<std::string, double>>
      features;                             ///< By name, as scored. Only of an anomaly.
  std::vector<Contribution> contributions;  ///< Strongest first. Only of an anomaly.
};

}  // namespace sensus::ml
