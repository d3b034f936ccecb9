#include "features_internal.hpp"

#include "sensus/core/assert.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr double kClamp = 12;
constexpr double kMadToSigma = 1.4826;          // Of a normal distribution.
constexpr double kMeanDeviationToSigma = 1.2533;
constexpr double kWinsorSpreads = 8;
constexpr double kSpreadMin = 1e-9;
constexpr double kRelativeSpreadMin = 0.01;

double in_units(double difference, double spread) { return std::clamp(difference / spread, -kClamp, kClamp); }

}  // namespace

void Ring::push(double value) {
  if (values_.size() < capacity_) {
    values_.push_back(value);
    return;
  }
  values_[head_] = value;
  head_ = (head_ + 1) % capacity_;
}

void Ring::copy(std::size_t begin, std::size_t end, std::vector<double>& out) const {
  SENSUS_ASSERT(begin <= end && end <= values_.size());
  out.clear();
  for (std::size_t i = begin; i < end; ++i) {
    out.push_back((*this)[i]);
  }
}

double order_statistic(std::span<double> values, std::size_t k) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(k);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

double median(std::span<double> values) {
  SENSUS_ASSERT(!values.empty());
  const std::size_t middle = values.size() / 2;
  const double upper = order_statistic(values, middle);
  if (values.size() % 2 == 1) {
    return upper;
  }
  const double lower = *std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle));
  return lower / 2 + upper / 2;
}

RobustScale robust_scale(std::span<double> values) {
  RobustScale scale;
  scale.center = median(values);
  for (double& value : values) {
    value = std::abs(value - scale.center);
  }
  scale.spread = std::max({kMadToSigma * median(values), kRelativeSpreadMin * std::abs(scale.center), kSpreadMin});
  return scale;
}

double winsorized_deviation(std::span<double> values) {
  const auto count = static_cast<double>(values.size());
  const double center = median(values);
  double mean = 0;
  for (double& value : values) {
    value = std::abs(value - center);
    mean += value / count;
  }
  const double limit = kWinsorSpreads * std::max(kMadToSigma * median(values), kMeanDeviationToSigma * mean);
  if (limit <= 0) {
    return 0;
  }
  double squares = 0;  // In units of the limit: values near 1e300 would overflow.
  for (const double value : values) {
    const double part = std::min(value / limit, 1.0);
    squares += part * part / count;
  }
  return limit * std::sqrt(squares);
}

FeatureRow make_features(const Moment& m) {
  const double short_mean = m.value / 3 + m.previous / 3 + m.before_previous / 3;
  FeatureRow row{};
  const auto set = [&row](Feature feature, double value) { row[static_cast<std::size_t>(feature)] = value; };
  set(Feature::value, in_units(m.value - m.local.center, m.local.spread));
  set(Feature::difference, in_units(m.value - m.previous, m.local.spread));
  set(Feature::shift, in_units(short_mean - m.local.center, m.local.spread));
  set(Feature::lag, in_units(m.previous - m.local.center, m.local.spread));
  set(Feature::level, in_units(m.value - m.history.center, m.history.spread));
  return row;
}

}  // namespace sensus::ml
