#pragma once

#include "bytes_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {

/// A straight line through the recent past by least squares, older points weighing exponentially
/// less. Times are relative to the last point, in days, so that sums stay small.
class Trend {
 public:
  static constexpr double kMemoryDays = 1;

  void learn(double days_passed, double y, double weight) {
    const double keep = std::exp(-days_passed / kMemoryDays);
    // Every earlier point is `days_passed` further in the past.
    time2_ = keep * (time2_ - 2 * days_passed * time_ + days_passed * days_passed * weight_);
    cross_ = keep * (cross_ - days_passed * value_);
    time_ = keep * (time_ - days_passed * weight_);
    value_ *= keep;
    weight_ *= keep;
    weight_ += weight;
    value_ += weight * y;
  }
  /// Per day; 0 before there are two points.
  [[nodiscard]] double slope() const {
    const double determinant = weight_ * time2_ - time_ * time_;
    return determinant > 1e-12 * weight_ * weight_
               ? (weight_ * cross_ - time_ * value_) / determinant
               : 0;
  }
  /// At the last point.
  [[nodiscard]] double level() const {
    return weight_ > 0 ? (value_ - slope() * time_) / weight_ : 0;
  }

  void write(ByteWriter& out) const {
    for (const double v : {weight_, time_, time2_, value_, cross_}) {
      out.f64(v);
    }
  }
  [[nodiscard]] bool read(ByteReader& in) {
    bool fine = true;
    for (double* v : {&weight_, &time_, &time2_, &value_, &cross_}) {
      *v = in.f64();
      fine = fine && is_bounded(*v);
    }
    return in.ok() && fine && weight_ >= 0;
  }

 private:
  double weight_ = 0;
  double time_ = 0;   ///< Sums over the points, weighted: of times (at most 0), ...
  double time2_ = 0;  ///< ... their squares, ...
  double value_ = 0;  ///< ... values, ...
  double cross_ = 0;  ///< ... and times times values.
};

}  // namespace sensus::ml
