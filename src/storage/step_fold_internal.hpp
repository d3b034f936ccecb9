#pragma once

#include "sensus/storage/samples.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sensus::storage {

/// Steps of `step_us` from `from_us` on, `count` of them.
struct StepGrid {
  std::int64_t from_us = 0;
  std::int64_t step_us = 1;
  std::size_t count = 0;
};

/// What rollups know of a slot that lies in one step: `value` is the column that the aggregation
/// wants.
struct RolledSlot {
  std::int64_t time_us = 0;
  double value = 0;
  std::uint64_t samples = 0;
};

/// Folds samples into one point a step and group. Times of a series come ascending, those of
/// different series in any order. NaN is no value. Sums are kept in long double, so that finite
/// samples have a finite mean; a sum beyond double is infinite.
/// **Threading**: one thread. **Limits**: memory goes with groups times steps, for quantiles with
/// samples.
class StepFold {
 public:
  StepFold(Aggregation aggregation, StepGrid grid, std::size_t groups, std::size_t series);

  /// `series` tells samples of a group apart (0 .. series - 1); times outside the grid are left
  /// out.
  void add(std::size_t group, std::size_t series, std::int64_t time_us, double value);
  /// Not for rate and quantiles, which need every sample. A total that is NaN (infinities of both signs) makes that of its step NaN.
  void add_slot(std::size_t group, const RolledSlot& slot);
  /// Of one group, ascending; after the last sample.
  [[nodiscard]] std::vector<model::Sample> points(std::size_t group);

  /// False for rate and quantiles.
  [[nodiscard]] static bool takes_slots(Aggregation aggregation);

 private:
  struct Cell {
    long double total = 0;
    double chosen = 0;  ///< Lowest, highest or newest.
    std::int64_t newest_us = 0;
    std::uint64_t samples = 0;  ///< For rate: of series that have one.
  };
  /// A series in the step that its newest sample lies in.
  struct Counter {
    std::size_t group = 0;
    std::size_t step = 0;
    std::int64_t first_us = 0;
    std::int64_t last_us = 0;
    double first = 0;
    double last = 0;
    double increase = 0;
    std::uint64_t samples = 0;
  };

  void put(Cell& cell, std::int64_t time_us, double value, std::uint64_t samples) const;
  void count(std::size_t group, Counter& counter, std::int64_t time_us, double value,
             std::size_t step);
  void close(Counter& counter);
  [[nodiscard]] double value_of(const Cell& cell) const;
  [[nodiscard]] std::vector<model::Sample> quantiles(std::size_t group);
  [[nodiscard]] Timestamp time_of(std::size_t step) const;

  Aggregation aggregation_;
  StepGrid grid_;
  std::vector<Cell> cells_;        ///< By group and step; none for quantiles.
  std::vector<Counter> counters_;  ///< By series; for rate only.
  std::vector<std::vector<std::pair<std::uint32_t, double>>>
      values_;  ///< By group; for quantiles only.
};

/// The rate of a counter over a window, as Prometheus' rate() has it: the increase between the
/// first and the last sample, a decrease counting as a reset to zero, extended to the window's ends
/// where these are near (within 1.1 of the mean distance of samples; else by half of that
/// distance), but never to before the counter's zero; divided by the window. Two samples are
/// needed.
struct CounterWindow {
  double from_s = 0;  ///< From the window's start to the first sample.
  double to_s = 0;    ///< From the last sample to the window's end.
  double sampled_s = 0;
  double window_s = 0;
  double first = 0;
  double increase = 0;
  std::uint64_t samples = 0;
};
[[nodiscard]] double rate_of(const CounterWindow& window);

}  // namespace sensus::storage
