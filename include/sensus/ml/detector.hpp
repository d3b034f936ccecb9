#pragma once

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"

#include <array>
#include <cstddef>
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

/// Parameters out of bounds are moved to the nearest bound.
struct ForestDetectorParams {
  std::size_t trees = 50;
  std::size_t subsample = 64;
  std::size_t history = 1024;       ///< Points kept for training; at least `warmup`.
  std::size_t warmup = 45;          ///< Points before the first score; at least 20.
  double threshold = 0.55;          ///< Score at and above which a point is an anomaly (also needs to stand out of the robust band).
  std::uint64_t seed = 1;
};

/// An Isolation Forest over a small feature window (value, difference, short lags, robust scale) of one series. Besides the score, a
/// point must stand clear of the local median and of everything seen to be an anomaly, so that a noisy but healthy series stays quiet.
/// Anomalous points are kept out of the training history until they last, so that a level shift is reported for a while and then becomes
/// the new normal. Values that are not finite are ignored like late ones. About 30 KiB with the defaults.
[[nodiscard]] std::unique_ptr<Detector> make_forest_detector(const ForestDetectorParams& params);
/// `corrupt` when the bytes do not hold or were made with other parameters.
[[nodiscard]] Result<std::unique_ptr<Detector>> restore_forest_detector(const ForestDetectorParams& params, std::string_view bytes);

}  // namespace sensus::ml
