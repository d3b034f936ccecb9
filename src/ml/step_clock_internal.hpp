#pragma once

#include "bytes_internal.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sensus::ml {

/// The rate of an exponential mean for a point that covers only a part of a unit.
[[nodiscard]] inline double rate_of(double rate, double unit) {
  return unit >= 1 ? rate : 1 - std::pow(1 - rate, unit);
}

/// Learns the usual distance of two points and says how much one point weighs: series with a step
/// of five minutes or more are counted in points, faster ones in stretches of five minutes, so that
/// a window covers the same time whatever the step.
class StepClock {
 public:
  static constexpr double kUnitSeconds = 300;

  /// Distance from the point before, in seconds; positive.
  void learn(double distance) {
    if (count_ == 0) {
      step_ = distance;
    } else if (std::abs(distance - step_) <= kJitter * step_) {
      step_ += std::max(1.0 / (count_ + 1), kRateMin) * (distance - step_);
    } else {
      // A median by small multiplicative moves: one long gap cannot carry it away.
      const double move = 1 + std::max(1.0 / (count_ + 1), kRateMin);
      step_ =
          distance > step_ ? std::min(step_ * move, distance) : std::max(step_ / move, distance);
    }
    count_ = std::min(count_ + 1, kCountMax);
  }
  [[nodiscard]] bool is_known() const { return count_ > 0; }
  /// Seconds; 0 before the second point.
  [[nodiscard]] double step() const { return step_; }
  /// The part of a five-minute stretch that one point covers; 1 for slower series.
  [[nodiscard]] double unit() const {
    return count_ == 0 || step_ >= kSlow * kUnitSeconds ? 1 : step_ / kUnitSeconds;
  }

  void write(ByteWriter& out) const {
    out.f64(step_);
    out.f64(count_);
  }
  [[nodiscard]] bool read(ByteReader& in) {
    step_ = in.f64();
    count_ = in.f64();
    return in.ok() && step_ >= 0 && step_ <= 1e13 && count_ >= 0 && count_ <= kCountMax &&
           (step_ > 0) == (count_ > 0);
  }

 private:
  static constexpr double kJitter = 0.2;
  static constexpr double kRateMin = 0.01;
  static constexpr double kCountMax = 1000;
  static constexpr double kSlow = 0.8;
  double step_ = 0;
  double count_ = 0;
};

}  // namespace sensus::ml
