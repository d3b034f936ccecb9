#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace sensus::ml {

inline constexpr std::size_t kWindow = 30;     ///< Points the local median and scale look back on.
inline constexpr std::size_t kWindowMin = 10;  ///< With fewer there are no features.

/// The last `capacity` values, oldest first.
class Ring {
 public:
  explicit Ring(std::size_t capacity) : capacity_(capacity) {}
  void push(double value);
  [[nodiscard]] std::size_t size() const { return values_.size(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] double operator[](std::size_t i) const { return values_[(head_ + i) % values_.size()]; }
  /// Values [begin, end) into `out`.
  void copy(std::size_t begin, std::size_t end, std::vector<double>& out) const;

 private:
  std::size_t capacity_;
  std::size_t head_ = 0;  ///< Of the oldest, once full.
  std::vector<double> values_;
};

/// Of the k-th smallest; reorders.
[[nodiscard]] double order_statistic(std::span<double> values, std::size_t k);
[[nodiscard]] double median(std::span<double> values);

/// Centre and spread that a few wild values do not move. The spread estimates a standard deviation.
struct RobustScale {
  double center = 0;
  double spread = 0;
};
/// Median and scaled MAD, the spread at least 1 % of the centre. Reorders. Not for an empty span.
[[nodiscard]] RobustScale robust_scale(std::span<double> values);
/// Standard deviation around the median with values beyond eight robust spreads pulled in: not 0 for a series that mostly repeats one value
/// (where MAD is), and not carried away by a spike. Reorders. Not for an empty span.
[[nodiscard]] double winsorized_deviation(std::span<double> values);

enum class Feature { value, difference, shift, lag, level };
inline constexpr std::size_t kFeatureCount = 5;
inline constexpr std::array<std::string_view, kFeatureCount> kFeatureNames{"value", "difference", "shift", "lag", "level"};
using FeatureRow = std::array<double, kFeatureCount>;

/// What features are made from, in the series' unit.
struct Moment {
  double value = 0;
  double previous = 0;         ///< One step back.
  double before_previous = 0;  ///< Two steps back.
  RobustScale local;           ///< Of the window before this point.
  RobustScale history;         ///< Of all that is kept.
};
/// In units of robust spread, clamped to +-12 so that one wild point does not stretch the trees.
[[nodiscard]] FeatureRow make_features(const Moment& moment);

}  // namespace sensus::ml
