#pragma once

#include "sensus/ml/detector.hpp"

#include <cstddef>

namespace sensus::ml {

/// Every number of the detector, with its meaning in docs/detection.md. "Points" are of a series
/// with a step of five minutes or more; for faster ones they are stretches of five minutes.
struct Tuning {
  // Forests.
  std::size_t reservoir = 512;
  std::size_t trees = 12;  ///< Of each view.
  std::size_t subsample = 128;
  double padding = 0.3;  ///< Cuts reach this part of a node's width beyond its rows.
  std::size_t learn_at = 50;
  double rebuild_every = 20;  ///< Points between two rebuilds of a tree of one view.
  double recency = 0.05;      ///< Least probability that a row enters the reservoir.

  // Combination.
  double novelty_weight = 2;
  double count_weight = 0.8;
  double range_weight = 1.5;
  double range_full = 0.05;  ///< Extension of the range that gives the whole range term.
  double sustained_weight = 0.75;
  double sustained_rate = 0.04;
  double record_margin = 0.3;
  std::size_t record_points = 120;
  double notable = 15;
  double notable_slope = 1.5;
  double alerting = 19.5;
};

[[nodiscard]] Tuning tuning_of(Profile profile);

}  // namespace sensus::ml
