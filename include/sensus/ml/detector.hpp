#pragma once

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::ml {

/// What the detector says of one point.
struct Verdict {
  bool is_anomaly = false;
  double score = 0;      ///< 0..1
  double threshold = 0;
  double expected = 0;
  std::vector<std::pair<std::string, double>> features;  ///< By name, as scored.
};

/// Scores the points of one series in time order. Pure: no clock, no I/O, seeded. **Threading**: one at a time. Narrow on purpose: another
/// algorithm can take its place.
class Detector {
 public:
  virtual ~Detector() = default;
  /// Feeds one point and scores it against what came before; no look-ahead. Points not later than the last are ignored (no anomaly).
  virtual Verdict update(Timestamp time, double value) = 0;
  /// Relearns from its own recent history, as the schedule asks.
  virtual void retrain() = 0;
  [[nodiscard]] virtual Timestamp last_time() const = 0;
  [[nodiscard]] virtual std::string serialize() const = 0;
};

struct ForestDetectorParams {
  std::size_t trees = 50;
  std::size_t subsample = 128;
  std::size_t history = 1024;       ///< Points kept for training.
  std::size_t warmup = 60;          ///< Points before the first score.
  double threshold = 0.62;          ///< Score at and above which a point is an anomaly (also needs to stand out of the robust band).
  std::uint64_t seed = 1;
};

/// An Isolation Forest over a small feature window (value, difference, short lags, robust scale) of one series.
[[nodiscard]] std::unique_ptr<Detector> make_forest_detector(const ForestDetectorParams& params);
/// `corrupt` when the bytes do not hold or were made with other parameters.
[[nodiscard]] Result<std::unique_ptr<Detector>> restore_forest_detector(const ForestDetectorParams& params, std::string_view bytes);

}  // namespace sensus::ml
