#pragma once

#include "bytes_internal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace sensus::ml {

/// What the next value should be: of several simple predictors the one that was closest lately,
/// with a band from its errors.
class Expectation {
 public:
  enum Predictor : std::size_t { kLevel, kDay, kWeek };
  static constexpr std::size_t kPredictors = 3;
  using Predictions = std::array<double, kPredictors>;

  /// The predictor that is trusted now.
  [[nodiscard]] std::size_t best() const {
    return static_cast<std::size_t>(std::min_element(errors_.begin(), errors_.end()) -
                                    errors_.begin());
  }
  /// Mean absolute error of the best predictor.
  [[nodiscard]] double error() const { return errors_[best()]; }
  /// `rate` of the exponential mean; single wild values count only a few times the usual error.
  void learn(const Predictions& predictions, double x, double rate) {
    for (std::size_t i = 0; i < kPredictors; ++i) {
      const double error = std::abs(x - predictions[i]);
      const double bounded =
          count_ < kWarm ? error : std::min(error, kBound * errors_[i] + 1e-12 * std::abs(x));
      errors_[i] += std::max(rate, 1 / (count_ + 1)) * (bounded - errors_[i]);
    }
    count_ = std::min(count_ + 1, 1e6);
  }

  void write(ByteWriter& out) const {
    for (const double error : errors_) {
      out.f64(error);
    }
    out.f64(count_);
  }
  [[nodiscard]] bool read(ByteReader& in) {
    bool fine = true;
    for (double& error : errors_) {
      error = in.f64();
      fine = fine && is_bounded(error) && error >= 0;
    }
    count_ = in.f64();
    return in.ok() && fine && count_ >= 0 && count_ <= 1e6;
  }

 private:
  static constexpr double kWarm = 30;
  static constexpr double kBound = 6;
  std::array<double, kPredictors> errors_{};
  double count_ = 0;
};

}  // namespace sensus::ml
