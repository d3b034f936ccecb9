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
  std::size_t learn_at = 48;
  double rebuild_every = 20;  ///< Points between two rebuilds of a tree of one view.
  double recency = 0.05;      ///< Least probability that a row enters the reservoir.

  std::size_t day_bins = 96;
  std::size_t week_bins = 96;  ///< Of each day.

  // Combination.
  double novelty_weight = 2;
  double count_weight = 0.8;
  double range_weight = 1.5;
  double range_full = 0.05;    ///< Extension of the range that gives the whole range term.
  double range_decades = 1.5;  ///< Improbability of a record that gives the whole range term.
  double unseen_season =
      3;  ///< Evidence taken off while nothing like this part of the week was seen.
  double sustained_weight = 0.75;
  double sustained_rate = 0.04;
  double record_margin = 0.3;
  std::size_t record_points = 120;
  double notable = 14.5;
  double notable_slope = 1.5;
  double alerting = 18;
  // Thresholds by each series' own noise: bounds, false alerts a week aimed at, and blocks of six
  // hours that weigh as much as the prior.
  double prior_blocks = 80;
  double alerting_rate = 0.14;   ///< False alerts a week at which `alerting` is meant ...
  double alerting_decade = 4.7;  ///< ... and how much evidence a tenth of them costs.
  double notable_rate = 0.7;
  double notable_min = 13.5;
  double notable_max = 16;
  double alerting_min = 16.5;
  double alerting_max = 22;
};

[[nodiscard]] Tuning tuning_of(Profile profile);

}  // namespace sensus::ml
