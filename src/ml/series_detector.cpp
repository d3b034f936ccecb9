#include "series_detector_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr double kMagnitudeMax = 1e30;  // Finite as a float, and its square as a double.
constexpr double kSecondsPerDay = 86400;
constexpr std::uint64_t kRangeAfter = 11;
constexpr double kDayRate = 0.15;
constexpr double kWeekRate = 0.3;
constexpr double kDriftRate = 0.1;
constexpr double kExtensionHalf = 0.3;
constexpr double kRecentScale = 1000;
DetectorParams sane(DetectorParams params) {
  params.warmup = std::clamp<std::size_t>(params.warmup, 20, 10000);
  params.false_alerts_per_week = params.false_alerts_per_week > 0
                                     ? std::clamp(params.false_alerts_per_week, 0.001, 100.0)
                                     : 0.001;
  return params;
}

}  // namespace

SeriesDetector::SeriesDetector(const DetectorParams& params, const Tuning& tuning)
    : params_(sane(params)),
      tuning_(tuning),
      random_(params.seed),
      day_(tuning.day_bins),
      week_(7 * tuning.week_bins),
      reservoir_(tuning.reservoir),
      recent_(tuning.record_points, 0) {
  refresh_thresholds();
}

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
    moment.distance =
        std::max(moment.seconds - static_cast<double>(to_unix_us(last_time_)) * 1e-6, 1e-6);
    moment.gap = gap_told_ == Tier::none ? gap_evidence(moment.distance) : 0;
    moment.gap_steps = clock_.is_known() ? moment.distance / clock_.step() : 1;
    if (clock_.is_known()) {
      gaps_.learn(moment.gap_steps);
    }
    clock_.learn(moment.distance);
  }
  moment.previous_time = last_time_;
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
  Verdict verdict = judge_stillness(moment, judge(moment));
  learn(moment);
  return verdict;
}

void SeriesDetector::compute_features(Moment& moment) {
  FeatureValues& f = moment.features;
  window_.push(moment.x, moment.is_new_cell);
  window_.shape(f);
  const Place place = place_of(moment.seconds);
  season_lag_.fit(clock_.step(), moment.unit, tuning_.day_bins, kDayRate);
  const double season = season_at(moment.seconds, moment.seconds, trend_.slope());
  const double level_before = points_ == 0 ? moment.x : level_;
  expect(moment, place);
  f[kResidual] = moment.x - (day_.is_seen(place.day_bin) ? day_.mean(place.day_bin) : level_before);
  learn_day(place.day_bin, moment.x, rate_of(kDayRate, moment.unit));
  trend_.learn(moment.distance / kSecondsPerDay, moment.x - season, moment.unit);
  drift_ += rate_of(kDriftRate, moment.unit) * (f[kResidual] - drift_);
  f[kDrift] = drift_;
  const std::optional<double> weekly = weekly_mean(place);
  f[kWeekly] = weekly ? moment.x - *weekly : f[kResidual];
  moment.is_unseen_season = place.is_weekend() && !weekly;
  week_.learn(place.day * tuning_.week_bins + place.hour, moment.x,
              rate_of(kWeekRate, moment.unit));
  repeats_ = points_ > 0 && moment.value == last_value_ ? repeats_ + 1 : 0;
  last_value_ = moment.value;
  moment.flat = flat_evidence(moment.unit);
  flat_.learn(repeats_);
  f[kRepeats] = std::log1p(static_cast<double>(repeats_));
  if (points_ >= kRangeAfter) {
    for (std::size_t i = 0; i < kFeatures; ++i) {
      moment.beyond[i] = ranges_[i].beyond(f[i]);
    }
    moment.value_beyond = value_range_.beyond(moment.x);
    if (moment.value_beyond > 0) {
      const double decades = std::max(highest_values_.decades_beyond(moment.x),
                                      lowest_values_.decades_beyond(-moment.x));
      moment.range = std::min(1.0, moment.value_beyond / tuning_.range_full) *
                     std::min(1.0, decades / tuning_.range_decades);
    }
  }
  for (std::size_t i = 0; i < kFeatures; ++i) {
    ranges_[i].learn(f[i]);
  }
  value_range_.learn(moment.x);
  const auto cell = static_cast<std::uint32_t>(std::min(age_, 4e9));
  highest_values_.learn(moment.x, cell);
  lowest_values_.learn(-moment.x, cell);
  moment.row = encode(f);
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
      shape_.rescale(factor);
      for (std::size_t v = 1; v + 1 < kViews; ++v) {
        residuals_[v - 1].rescale(factor);
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
  moment.is_scored = has_forests();
  if (!moment.is_scored) {
    return;
  }
  for (std::size_t v = 0; v < kViews; ++v) {
    const View& view = kViewList[v];
    double s =
        v == 0 ? shape_.score(view, moment.row) : residuals_[v - 1].score(moment.row[view.first]);
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
    moment.base = -std::log10(product) + tuning_.novelty_weight * novelty +
                  kViews * (tuning_.count_weight * std::log10(static_cast<double>(scored_) + 1) +
                            tuning_.range_weight * moment.range);
  }
  if (moment.is_unseen_season && moment.base > 0) {
    moment.base = std::max(moment.base - tuning_.unseen_season, 0.0);
  }
  moment.evidence = moment.base + tuning_.sustained_weight * sustained_;
}

double SeriesDetector::highest_recent() const {
  return *std::ranges::max_element(recent_) / kRecentScale;
}

void SeriesDetector::learn(const Moment& moment) {
  if (moment.is_scored) {
    for (std::size_t v = 0; v < kViews; ++v) {
      histograms_[v].add(moment.scores[v]);
    }
    ++scored_;
  }
  if (moment.base > 0) {
    if (maxima_.learn(moment.evidence, moment.unit)) {
      block_step_ = clock_.step();
      refresh_thresholds();
    }
  }
  sustained_ += rate_of(tuning_.sustained_rate, moment.unit) * (moment.base - sustained_);
  if (moment.is_new_cell) {
    ++recent_cells_;
    recent_[recent_cells_ % recent_.size()] = 0;
  }
  std::uint16_t& highest = recent_[recent_cells_ % recent_.size()];
  highest = std::max(highest, static_cast<std::uint16_t>(
                                  std::clamp(moment.evidence * kRecentScale, 0.0, 65535.0)));
  reservoir_.offer(moment.row, tuning_.recency * moment.unit, random_);
  age_ += moment.unit;
  rebuild_trees();
  ++points_;
}

void SeriesDetector::rebuild_trees() {
  for (std::size_t at = tuning_.learn_at; at <= 8 * tuning_.learn_at; at *= 2) {
    if (points_ == at) {
      pending_trees_ = static_cast<std::uint32_t>(tuning_.trees * kViews);
      next_rebuild_ = age_ + tuning_.rebuild_every;
    }
  }
  if (!has_forests()) {
    for (std::size_t v = 0; v < kViews && pending_trees_ > 0; ++v, --pending_trees_) {
      rebuild_tree(v);
    }
    return;
  }
  // A whole forest at one point would be a pause: a tree of one view at a time.
  if (pending_trees_ > 0 || age_ >= next_rebuild_) {
    rebuild_tree(next_view_);
    next_view_ = (next_view_ + 1) % kViews;
    next_rebuild_ = std::max(next_rebuild_, age_) + tuning_.rebuild_every / kViews;
    pending_trees_ -= std::min(pending_trees_, 1U);
  }
}

void SeriesDetector::rebuild_tree(std::size_t view) {
  const ForestShape shape{tuning_.trees, tuning_.subsample, tuning_.padding};
  if (view == 0) {
    shape_.rebuild_next(kViewList[view], reservoir_.rows(), shape, random_);
  } else {
    residuals_[view - 1].rebuild_next(kViewList[view], reservoir_.rows(), shape, random_);
  }
}

void SeriesDetector::retrain() {
  if (has_forests()) {
    pending_trees_ = static_cast<std::uint32_t>(tuning_.trees * kViews);
  }
}

std::size_t SeriesDetector::memory_bytes() const {
  std::size_t bytes = sizeof(*this) + day_.memory_bytes() + week_.memory_bytes() +
                      reservoir_.memory_bytes() + recent_.capacity() * sizeof(std::uint16_t);
  bytes += shape_.memory_bytes();
  for (const StepForest& forest : residuals_) {
    bytes += forest.memory_bytes();
  }
  return bytes;
}

std::chrono::microseconds SeriesDetector::learned_step() const {
  return std::chrono::microseconds(static_cast<std::int64_t>(clock_.step() * 1e6));
}

std::unique_ptr<Detector> make_detector(const DetectorParams& params) {
  return std::make_unique<SeriesDetector>(params, tuning_of(params.profile));
}

}  // namespace sensus::ml
