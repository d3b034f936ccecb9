#include "series_detector_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr double kSecondsPerDay = 86400;
constexpr std::size_t kStepsMax = 10000;
constexpr double kMaeToSigma = 1.2533;  // Of a normal distribution.
constexpr double kNineOfTen = 1.645;
constexpr double kSlopeDoubt =
    1;  // Mean absolute errors a day: a slope of this much is believed by half.

constexpr double kErrorRate = 0.005;
constexpr double kBandErrors =
    4;  // Mean absolute errors: three standard deviations of a normal distribution are 3.8.

std::size_t bin_of(double in_day, std::size_t bins) {
  return std::min(bins - 1,
                  static_cast<std::size_t>(in_day * static_cast<double>(bins) / kSecondsPerDay));
}

}  // namespace

SeriesDetector::Place SeriesDetector::place_of(double seconds) const {
  const double local = seconds + static_cast<double>(gates_.utc_offset.count());
  const double days = std::floor(local / kSecondsPerDay);
  const double in_day = local - days * kSecondsPerDay;
  Place place;
  place.day = static_cast<std::size_t>(days - 7 * std::floor(days / 7));
  if (!gates_.holidays.empty() &&
      std::ranges::find(gates_.holidays, static_cast<std::int64_t>(days)) !=
          gates_.holidays.end()) {
    place.day = Place::kSunday;
  }
  place.day_bin = bin_of(in_day, tuning_.day_bins);
  place.hour = bin_of(in_day, tuning_.week_bins);
  return place;
}

/// Of this hour on this day of the week; before one was seen, of the day before of the same sort
/// (working day or not).
std::optional<double> SeriesDetector::weekly_mean(const Place& place) const {
  for (std::size_t back = 0; back < 7; ++back) {
    const std::size_t other = (place.day + 7 - back) % 7;
    const std::size_t bin = other * tuning_.week_bins + place.hour;
    if (Place::is_weekend(other) == place.is_weekend() && week_.is_seen(bin)) {
      return week_.mean(bin);
    }
  }
  return std::nullopt;
}

void SeriesDetector::expect(Moment& moment, const Place& place) {
  const std::size_t week_bin = place.day * tuning_.week_bins + place.hour;
  using E = Expectation;
  moment.predictions[E::kLevel] = level_;
  moment.predictions[E::kDay] =
      day_.is_seen(place.day_bin) ? day_.mean(place.day_bin) + drift_ : level_;
  moment.predictions[E::kWeek] =
      week_.is_seen(week_bin) ? week_.mean(week_bin) : moment.predictions[E::kDay];
  moment.expected = points_ == 0 ? moment.x : moment.predictions[expectation_.best()];
  moment.half_band = kBandErrors * expectation_.error();
  if (points_ > 0) {
    expectation_.learn(moment.predictions, moment.x, rate_of(kErrorRate, moment.unit));
  }
  level_ = moment.features[kMean];
}

void SeriesDetector::learn_day(std::size_t bin, double x, double rate) {
  const bool is_new = !day_.is_seen(bin);
  const double before = is_new ? 0 : day_.mean(bin);
  day_.learn(bin, x, rate);
  profile_sum_ += day_.mean(bin) - before;
  profile_bins_ += is_new ? 1U : 0U;
}

/// What the profiles add to the level at a moment.
double SeriesDetector::season_at(double seconds, double now, double slope) const {
  if (age_ * StepClock::kUnitSeconds < kSecondsPerDay || profile_bins_ == 0) {
    return 0;
  }
  const double age_days = age_ * std::max(StepClock::kUnitSeconds, clock_.step()) / kSecondsPerDay;
  const Place place = place_of(seconds);
  const double mean = profile_sum_ / static_cast<double>(profile_bins_);
  const double ahead = (seconds - now) / kSecondsPerDay;
  const Place current = place_of(now);
  const auto learned = [now](std::size_t bins) {
    const double passed = now * static_cast<double>(bins) / kSecondsPerDay;
    return passed - std::floor(passed);
  };
  const std::size_t week_bin = place.day * tuning_.week_bins + place.hour;
  if (age_days >= 7 && expectation_.best() == Expectation::kWeek && week_.is_seen(week_bin)) {
    const bool is_current = place.day == current.day && place.hour == current.hour;
    const double ramp = is_current ? season_lag_.ramp_of_current_week(age_days, learned(tuning_.week_bins))
                                   : season_lag_.ramp_of_week(age_days, 7 * std::ceil(ahead / 7) - ahead);
    return week_.mean(week_bin) - mean - slope * ramp;
  }
  if (!day_.is_seen(place.day_bin)) {
    return 0;
  }
  const double ramp = place.day_bin == current.day_bin ? season_lag_.ramp_of_current(age_days, learned(tuning_.day_bins))
                                                       : season_lag_.ramp(age_days, std::ceil(ahead) - ahead);
  return day_.mean(place.day_bin) - mean - slope * ramp;
}

std::vector<ForecastPoint> SeriesDetector::forecast(
    std::size_t steps, std::optional<std::chrono::seconds> step) const {
  std::vector<ForecastPoint> points;
  const double seconds = step ? static_cast<double>(step->count()) : clock_.step();
  if (!clock_.is_known() || !(seconds > 0)) {
    return points;
  }
  const double error = expectation_.error();
  const double slope = trend_.slope();
  const double certainty =
      slope * slope / (slope * slope + kSlopeDoubt * kSlopeDoubt * error * error + 1e-300);
  const double now = static_cast<double>(to_unix_us(last_time_)) * 1e-6;
  const double level = trend_.level() + first_value_;
  points.reserve(std::min(steps, kStepsMax));
  for (std::size_t i = 1; i <= std::min(steps, kStepsMax); ++i) {
    const double ahead = static_cast<double>(i) * seconds;
    ForecastPoint point;
    point.time = last_time_ + std::chrono::microseconds(std::llround(ahead * 1e6));
    point.expected = level + certainty * slope * ahead / kSecondsPerDay + season_at(now + ahead, now + clock_.step(), certainty * slope);
    const double half = kNineOfTen * kMaeToSigma * error * std::sqrt(1 + ahead / kSecondsPerDay);
    point.low = point.expected - half;
    point.high = point.expected + half;
    points.push_back(point);
  }
  return points;
}

std::optional<Timestamp> time_of_limit(const std::vector<ForecastPoint>& forecast, double limit,
                                       Direction direction) {
  for (const ForecastPoint& point : forecast) {
    const bool is_above = direction != Direction::below && point.expected >= limit;
    const bool is_below = direction == Direction::below && point.expected <= limit;
    if (is_above || is_below) {
      return point.time;
    }
  }
  return std::nullopt;
}

}  // namespace sensus::ml
