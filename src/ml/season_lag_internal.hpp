#pragma once

#include "step_clock_internal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace sensus::ml {

/// How far back the means of a day profile lie: a bin is learned once a day, and its mean is that
/// of a series some days ago. Of a series that grows the bins therefore differ by more than the
/// season, and this tells by how much. Derived, so no part of a state.
class SeasonLag {
 public:
  /// `step` seconds between two points, `bins` a day, `rate` of a profile's learning for a unit of
  /// time.
  void fit(double step, double unit, std::size_t bins, double rate) {
    if (!(step > 0) || (step_ > 0 && std::abs(step - step_) <= 0.2 * step_)) {
      return;
    }
    step_ = step;
    const double points = std::clamp(kSecondsPerDay / static_cast<double>(bins) / step, 1.0, 240.0);
    const double rate_min = rate_of(rate, unit);
    double lag = 0;
    double count = 0;
    for (double& after : lags_) {
      double keep = 1;
      for (double point = 0; point < std::round(points); ++point) {
        count = std::min(count + 1, 255.0);
        keep *= 1 - std::max(rate_min, 1 / count);
      }
      lag = keep * (lag + 1);
      after = lag;
    }
  }

  /// What a slope of one a day adds to the mean of a bin that was learned last `bin_days` (0 to 1)
  /// ago, against the mean of all bins, for a profile that is `age_days` (1 or more) old. Days.
  [[nodiscard]] double ramp(double age_days, double bin_days) const {
    const double part = age_days - std::floor(age_days);
    return common(age_days) - bin_days - after(std::floor(age_days) + (bin_days < part ? 1 : 0));
  }
  /// The same of the bin that is being learned, when the part `learned` of it is over: it passes
  /// from as it was a day ago to as it is now.
  [[nodiscard]] double ramp_of_current(double age_days, double learned) const {
    const double whole = std::floor(age_days);
    return common(age_days) - (1 - learned) * (1 + after(whole)) - learned * after(whole + 1);
  }

  /// The same of a bin of the week profile, which was learned `since` (0 to 7) days ago.
  [[nodiscard]] double ramp_of_week(double age_days, double since) const {
    return common(age_days) - since - (age_days - since < 7 ? 0 : kWeekLag);
  }
  [[nodiscard]] double ramp_of_current_week(double age_days, double learned) const {
    return common(age_days) - (1 - learned) * (7 + (age_days < 14 ? 0 : kWeekLag)) -
           learned * kWeekLag;
  }

 private:
  static constexpr double kWeekLag = 3;  ///< Days, of the mean of two weeks and more.
  static constexpr double kSecondsPerDay = 86400;
  /// Of the mean of all bins.
  [[nodiscard]] double common(double age_days) const {
    const double whole = std::floor(age_days);
    return 0.5 + after(whole) + (age_days - whole) * (after(whole + 1) - after(whole));
  }
  [[nodiscard]] double after(double days) const {
    return lags_[static_cast<std::size_t>(
                     std::clamp(days, 1.0, static_cast<double>(lags_.size()))) -
                 1];
  }
  double step_ = 0;
  std::array<double, 16> lags_{};
};

}  // namespace sensus::ml
