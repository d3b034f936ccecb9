#pragma once

#include "sensus/core/time.hpp"

#include <cstdint>
#include <optional>

namespace sensus::ml {

/// Turns the samples of one counter into rates per second. A fall is a restart of the sender: it
/// counted from zero since. **Threading**: one at a time.
class CounterRate {
 public:
  /// The rate since the sample before; nothing for the first, for one not later than the last, and
  /// for values that are negative or not finite (a stale marker also ends the count: the next
  /// sample is a first one).
  [[nodiscard]] std::optional<double> update(Timestamp time, double value);
  [[nodiscard]] std::uint64_t resets() const { return resets_; }

  /// What the next rate is counted from, to go on after a restart.
  struct Last {
    Timestamp time;
    double value = 0;
  };
  [[nodiscard]] std::optional<Last> last() const;
  void go_on_from(const Last& last);

 private:
  bool has_last_ = false;
  Timestamp last_time_{};
  double last_value_ = 0;
  std::uint64_t resets_ = 0;
};

/// Means of the samples in steps of a grid that begins at 1970-01-01: what is analysed of a series
/// that is sampled faster.
class StepMeans {
 public:
  struct Mean {
    Timestamp time;  ///< Where the step begins.
    double value = 0;
  };
  /// `step` of at least a microsecond.
  explicit StepMeans(std::chrono::microseconds step) : step_(step) {}
  /// The step before, once a sample of a later one comes. Samples of steps that are over are
  /// dropped and counted; a sample at the very time of the one before takes part once. Values that
  /// are not finite take no part.
  [[nodiscard]] std::optional<Mean> update(Timestamp time, double value);
  [[nodiscard]] std::uint64_t late() const { return late_; }

 private:
  std::chrono::microseconds step_;
  Timestamp begin_{};
  Timestamp last_time_ = Timestamp::min();
  double mean_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t late_ = 0;
};

}  // namespace sensus::ml
