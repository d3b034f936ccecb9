#include "forest_detector_internal.hpp"

#include "sensus/core/assert.hpp"
#include "random_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {
namespace {

/// Anomalies add one, other points take a sixteenth: past the limit anomalous points enter the history, which adapts to them.
constexpr double kPressureMax = 20;
constexpr double kPressureDecay = 1.0 / 16;
/// Isolated spikes enter the history after a quiet while, so that spikes that come again and again count as seen. A longer anomaly is
/// forgotten when it ends.
constexpr std::size_t kSpikeMax = 3;
constexpr std::size_t kQuiet = 30;
constexpr double kDeviationMin = 5;  // Robust spreads from the local median.
constexpr double kMargin = 3;        // Robust spreads outside all that was seen.
constexpr double kTrimmed = 0.01;    // Share of the history at either end that does not count as seen; at least one value.
constexpr double kDither = 0.5;      // Robust spreads. Gives constant features a width, or trees could not cut them.
constexpr double kMagnitudeMax = 1e300;  // Sums of a few values stay finite.
constexpr std::size_t kSummaryEvery = 16;
constexpr std::size_t kWarmupMin = 20;

ForestDetectorParams sane(ForestDetectorParams params) {
  params.warmup = std::max(params.warmup, kWarmupMin);
  params.history = std::max(params.history, params.warmup);
  params.trees = std::clamp<std::size_t>(params.trees, 1, 1000);
  params.subsample = std::clamp<std::size_t>(params.subsample, 2, 4096);
  return params;
}

}  // namespace

ForestDetector::ForestDetector(const ForestDetectorParams& params)
    : params_(sane(params)), values_(params_.history), next_training_(params_.warmup) {}

Verdict ForestDetector::update(Timestamp time, double value) {
  Verdict verdict;
  verdict.threshold = params_.threshold;
  if (time <= last_time_ || !std::isfinite(value)) {
    return verdict;
  }
  last_time_ = time;
  value = std::clamp(value, -kMagnitudeMax, kMagnitudeMax);
  if (accepted_ == 0) {
    previous_ = before_previous_ = value;
  }
  verdict.expected = value;
  if (values_.size() >= kWindowMin) {
    score(value, verdict);
  }
  pressure_ = std::clamp(pressure_ + (verdict.is_anomaly ? 1 : -kPressureDecay), 0.0, kPressureMax + 1);
  if (!verdict.is_anomaly || pressure_ > kPressureMax) {
    release_quarantine();
    accept(value);
  } else {
    quarantine(value);
  }
  before_previous_ = previous_;
  previous_ = value;
  return verdict;
}

void ForestDetector::score(double value, Verdict& verdict) const {
  const RobustScale local = local_scale();
  verdict.expected = local.center;
  if (!forest_) {
    return;
  }
  const FeatureRow row = make_features({value, previous_, before_previous_, local, summary_.history});
  verdict.score = forest_->score(row);
  verdict.is_anomaly = verdict.score >= params_.threshold && stands_out(value, local);
  for (std::size_t i = 0; i < kFeatureCount; ++i) {
    verdict.features.emplace_back(kFeatureNames[i], row[i]);
  }
}

bool ForestDetector::stands_out(double value, const RobustScale& local) const {
  return std::abs(value - local.center) >= kDeviationMin * local.spread &&
         (value > summary_.high + kMargin * local.spread || value < summary_.low - kMargin * local.spread);
}

void ForestDetector::quarantine(double value) {
  quiet_ = 0;
  ++quarantined_;
  if (quarantine_.size() < kSpikeMax) {
    quarantine_.push_back(value);
  }
}

void ForestDetector::release_quarantine() {
  if (quarantined_ == 0 || ++quiet_ < kQuiet) {
    return;
  }
  if (quarantined_ <= kSpikeMax) {
    for (const double value : quarantine_) {
      accept(value);
    }
  }
  quarantined_ = 0;
  quarantine_.clear();
}

RobustScale ForestDetector::local_scale() const {
  std::vector<double> window;
  window.reserve(kWindow);
  values_.copy(values_.size() - std::min(values_.size(), kWindow), values_.size(), window);
  RobustScale local = robust_scale(window);
  local.spread = std::max(local.spread, summary_.noise);
  return local;
}

void ForestDetector::accept(double value) {
  values_.push(value);
  ++accepted_;
  if (accepted_ >= next_training_) {
    retrain();
  } else if (forest_ && accepted_ % kSummaryEvery == 0) {
    summarize();
  }
}

void ForestDetector::summarize() {
  std::vector<double> all;
  values_.copy(0, values_.size(), all);
  const auto trimmed = std::max<std::size_t>(1, static_cast<std::size_t>(kTrimmed * static_cast<double>(all.size())));
  summary_.low = order_statistic(all, trimmed);
  summary_.high = order_statistic(all, all.size() - 1 - trimmed);
  summary_.history = robust_scale(all);
}

Matrix ForestDetector::training_rows(std::uint64_t seed) {
  const std::size_t count = values_.size() - kWindowMin;
  std::vector<RobustScale> locals;
  std::vector<double> residuals;
  std::vector<double> window;
  for (std::size_t i = kWindowMin; i < values_.size(); ++i) {
    values_.copy(i - std::min(i, kWindow), i, window);
    locals.push_back(robust_scale(window));
    residuals.push_back(values_[i] - locals.back().center);
  }
  summary_.noise = winsorized_deviation(residuals);

  Random random(seed);
  Matrix rows(kFeatureCount);
  rows.reserve(count);
  for (std::size_t i = kWindowMin; i < values_.size(); ++i) {
    RobustScale local = locals[i - kWindowMin];
    local.spread = std::max(local.spread, summary_.noise);
    FeatureRow row = make_features({values_[i], values_[i - 1], values_[i - 2], local, summary_.history});
    for (double& feature : row) {
      feature += kDither * (2 * random.uniform() - 1);
    }
    rows.append(row);
  }
  return rows;
}

void ForestDetector::retrain() {
  if (values_.size() < params_.warmup) {
    return;
  }
  summarize();
  const std::uint64_t seed = params_.seed + 0x9E3779B97F4A7C15ULL * ++trainings_;
  Result<IsolationForest> fitted = IsolationForest::fit(
      training_rows(seed), {.trees = params_.trees, .subsample = params_.subsample, .seed = seed});
  SENSUS_ASSERT(fitted);  // Rows are finite and more than two; `sane` keeps parameters in bounds.
  forest_ = std::move(*fitted);
  // Detectors that began together part ways, so that their trainings do not fall on one batch.
  const std::uint64_t regular = params_.history / 4 + params_.seed % (params_.history / 16 + 1);
  next_training_ = accepted_ + std::min<std::uint64_t>(accepted_, regular);
}

std::unique_ptr<Detector> make_forest_detector(const ForestDetectorParams& params) {
  return std::make_unique<ForestDetector>(params);
}

Result<std::unique_ptr<Detector>> restore_forest_detector(const ForestDetectorParams& params, std::string_view bytes) {
  return ForestDetector::restore(params, bytes);
}

}  // namespace sensus::ml
