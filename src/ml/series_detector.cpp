#include "series_detector_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr double kMagnitudeMax = 1e30;  // Squares and floats of it stay finite.
constexpr double kSecondsPerDay = 86400;
constexpr std::uint64_t kRangeAfter = 11;
constexpr double kDayRate = 0.15;
constexpr double kWeekRate = 0.3;
constexpr double kDriftRate = 0.1;
constexpr double kExtensionHalf = 0.3;
constexpr double kErrorRate = 0.005;
constexpr double kBandErrors =
    4;  // Mean absolute errors: three standard deviations of a normal distribution are 3.8.
constexpr std::uint32_t kTreesAtOnce =
    2;  // Of each view: a whole forest at one point would be a pause.

/// The rate of an exponential mean for a point that covers only a part of a unit.
double rate_of(double rate, double unit) { return unit >= 1 ? rate : 1 - std::pow(1 - rate, unit); }

DetectorParams sane(DetectorParams params) {
  params.warmup = std::clamp<std::size_t>(params.warmup, 20, 10000);
  return params;
}

}  // namespace

SeriesDetector::SeriesDetector(const DetectorParams& params, const Tuning& tuning)
    : params_(sane(params)),
      tuning_(tuning),
      random_(params.seed),
      reservoir_(tuning.reservoir),
      recent_(tuning.record_points, 0) {}

Verdict SeriesDetector::update(Timestamp time, double value) {
  if (time <= last_time_ || !std::isfinite(value)) {
    return {};
  }
  Moment moment;
  moment.time = time;
  moment.value = std::clamp(value, -kMagnitudeMax, kMagnitudeMax);
  moment.seconds = static_cast<double>(to_unix_us(time)) * 1e-6;
  if (points_ == 0) {
    first_value_ = last_value_ = moment.value;
    cell_opened_ = moment.seconds;
  } else {
    clock_.learn(
        std::max(moment.seconds - static_cast<double>(to_unix_us(last_time_)) * 1e-6, 1e-6));
  }
  last_time_ = time;
  moment.unit = clock_.unit();
  moment.x = moment.value - first_value_;
  moment.is_new_cell = points_ == 0 || moment.unit >= 1 ||
                       moment.seconds - cell_opened_ >= StepClock::kUnitSeconds - clock_.step() / 2;
  if (moment.is_new_cell) {
    cell_opened_ = moment.seconds;
  }
  compute_features(moment);
  score_views(moment);
  combine(moment);
  track_onset(moment);
  Verdict verdict = judge(moment);
  learn(moment);
  return verdict;
}

void SeriesDetector::compute_features(Moment& moment) {
  FeatureValues& f = moment.features;
  window_.push(moment.x, moment.is_new_cell);
  window_.shape(f);
  const double days = std::floor(moment.seconds / kSecondsPerDay);
  const double in_day = moment.seconds - days * kSecondsPerDay;
  const std::size_t bin =
      std::min(kDayBins - 1, static_cast<std::size_t>(in_day * kDayBins / kSecondsPerDay));
  const std::size_t week_bin =
      static_cast<std::size_t>(days - 7 * std::floor(days / 7)) * kDayBins + bin;
  expect(moment, bin, week_bin);
  f[kResidual] = day_.is_seen(bin) ? moment.x - day_.mean(bin) : 0;
  day_.learn(bin, moment.x, rate_of(kDayRate, moment.unit));
  drift_ += rate_of(kDriftRate, moment.unit) * (f[kResidual] - drift_);
  f[kDrift] = drift_;
  f[kWeekly] = week_.is_seen(week_bin) ? moment.x - week_.mean(week_bin) : f[kResidual];
  week_.learn(week_bin, moment.x, rate_of(kWeekRate, moment.unit));
  repeats_ = points_ > 0 && moment.value == last_value_ ? repeats_ + 1 : 0;
  last_value_ = moment.value;
  f[kRepeats] = std::log1p(static_cast<double>(repeats_));
  if (points_ >= kRangeAfter) {
    for (std::size_t i = 0; i < kFeatures; ++i) {
      moment.beyond[i] = ranges_[i].beyond(f[i]);
    }
    moment.value_beyond = value_range_.beyond(moment.x);
  }
  for (std::size_t i = 0; i < kFeatures; ++i) {
    ranges_[i].learn(f[i]);
  }
  value_range_.learn(moment.x);
  moment.row = encode(f);
}

void SeriesDetector::expect(Moment& moment, std::size_t day_bin, std::size_t week_bin) {
  using E = Expectation;
  moment.predictions[E::kLevel] = level_;
  moment.predictions[E::kDay] = day_.is_seen(day_bin) ? day_.mean(day_bin) + drift_ : level_;
  moment.predictions[E::kWeek] =
      week_.is_seen(week_bin) ? week_.mean(week_bin) : moment.predictions[E::kDay];
  moment.expected = points_ == 0 ? moment.x : moment.predictions[expectation_.best()];
  moment.half_band = kBandErrors * expectation_.error();
  if (points_ > 0) {
    expectation_.learn(moment.predictions, moment.x, rate_of(kErrorRate, moment.unit));
  }
  level_ = moment.features[kMean];
}

CodeRow SeriesDetector::encode(const FeatureValues& features) {
  double largest = 0;
  for (std::size_t i = 0; i < kRepeats; ++i) {
    largest = std::max(largest, std::abs(features[i]));
  }
  if (largest > 0) {
    const int wanted = -std::ilogb(largest);
    if (exponent_ > wanted + 14 || (reservoir_.rows().size() <= 1 && exponent_ == 0)) {
      const float factor = std::ldexp(1.0F, std::clamp(wanted - exponent_, -126, 126));
      reservoir_.rescale(factor);
      for (std::size_t v = 0; v + 1 < kViews; ++v) {
        forests_[v].rescale(factor);
      }
      exponent_ = wanted;
    }
  }
  CodeRow row{};
  const double scale = std::ldexp(1.0, exponent_);
  for (std::size_t i = 0; i < kRepeats; ++i) {
    row[i] = encode16(static_cast<float>(features[i] * scale));
  }
  row[kRepeats] = encode16(static_cast<float>(features[kRepeats]));
  return row;
}

void SeriesDetector::score_views(Moment& moment) const {
  moment.is_scored = forests_[0].trees() == tuning_.trees;
  if (!moment.is_scored) {
    return;
  }
  for (std::size_t v = 0; v < kViews; ++v) {
    const View& view = kViewList[v];
    double s = forests_[v].score(view, moment.row);
    double beyond = 0;
    for (std::size_t i = view.first; i < view.first + view.count; ++i) {
      beyond = std::max(beyond, moment.beyond[i]);
    }
    if (beyond > 0) {
      s += (1 - s) * beyond / (beyond + kExtensionHalf);
    }
    moment.scores[v] = s;
    moment.above[v] = histograms_[v].above(s);
  }
}

void SeriesDetector::combine(Moment& moment) const {
  if (moment.is_scored && points_ >= params_.warmup) {
    double product = 1;
    double novelty = 0;
    for (std::size_t v = 0; v < kViews; ++v) {
      product *= moment.above[v] + 0.5;
      novelty += moment.scores[v];
    }
    const double range = std::min(1.0, moment.value_beyond / tuning_.range_full);
    moment.base = -std::log10(product) + tuning_.novelty_weight * novelty +
                  kViews * (tuning_.count_weight * std::log10(static_cast<double>(scored_) + 1) +
                            tuning_.range_weight * range);
  }
  moment.evidence = moment.base + tuning_.sustained_weight * sustained_;
}

double SeriesDetector::highest_recent() const {
  float highest = 0;
  for (const float f : recent_) {
    highest = std::max(highest, f);
  }
  return static_cast<double>(highest);
}

void SeriesDetector::learn(const Moment& moment) {
  if (moment.is_scored) {
    for (std::size_t v = 0; v < kViews; ++v) {
      histograms_[v].add(moment.scores[v]);
    }
    ++scored_;
  }
  sustained_ += rate_of(tuning_.sustained_rate, moment.unit) * (moment.base - sustained_);
  if (moment.is_new_cell) {
    ++recent_cells_;
    recent_[recent_cells_ % recent_.size()] = 0;
  }
  float& highest = recent_[recent_cells_ % recent_.size()];
  highest = std::max(highest, static_cast<float>(moment.evidence));
  reservoir_.offer(moment.row, tuning_.recency * moment.unit, random_);
  age_ += moment.unit;
  rebuild_trees();
  ++points_;
}

void SeriesDetector::rebuild_trees() {
  const ViewForest::Options options{tuning_.trees, tuning_.subsample, tuning_.padding};
  for (std::size_t at = tuning_.learn_at; at <= 8 * tuning_.learn_at; at *= 2) {
    if (points_ == at) {
      pending_trees_ = static_cast<std::uint32_t>(tuning_.trees);
      next_rebuild_ = age_ + tuning_.rebuild_every;
    }
  }
  if (pending_trees_ > 0) {
    for (std::uint32_t i = 0; i < kTreesAtOnce && pending_trees_ > 0; ++i, --pending_trees_) {
      for (std::size_t v = 0; v < kViews; ++v) {
        forests_[v].rebuild_next(kViewList[v], reservoir_.rows(), options, random_);
      }
    }
    return;
  }
  if (forests_[0].trees() == tuning_.trees && age_ >= next_rebuild_) {
    forests_[next_view_].rebuild_next(kViewList[next_view_], reservoir_.rows(), options, random_);
    next_view_ = (next_view_ + 1) % kViews;
    next_rebuild_ += tuning_.rebuild_every / kViews;
  }
}

void SeriesDetector::retrain() {
  if (forests_[0].trees() == tuning_.trees) {
    pending_trees_ = static_cast<std::uint32_t>(tuning_.trees);
  }
}

std::size_t SeriesDetector::memory_bytes() const {
  std::size_t bytes = sizeof(*this) + day_.memory_bytes() + week_.memory_bytes() +
                      reservoir_.memory_bytes() + recent_.capacity() * sizeof(float);
  for (const ViewForest& forest : forests_) {
    bytes += forest.memory_bytes();
  }
  return bytes;
}

std::chrono::microseconds SeriesDetector::learned_step() const {
  return std::chrono::microseconds(static_cast<std::int64_t>(clock_.step() * 1e6));
}

Tuning tuning_of(Profile /*profile*/) { return {}; }

std::unique_ptr<Detector> make_detector(const DetectorParams& params) {
  return std::make_unique<SeriesDetector>(params, tuning_of(params.profile));
}

}  // namespace sensus::ml
