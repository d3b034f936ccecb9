#include "sensus/ml/detector.hpp"

#include "daily.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace sensus::ml {
namespace {

using test::at_seconds;
using test::daily_wave;
using test::feed;
using test::kDay;
using test::Noise;
using test::Point;

TEST(Forecast, IsEmptyBeforeTheStepIsKnown) {
  const auto detector = make_detector({});
  EXPECT_TRUE(detector->forecast(10).empty());
  detector->update(at_seconds(0), 1);
  EXPECT_TRUE(detector->forecast(10).empty());
  detector->update(at_seconds(60), 1);
  EXPECT_EQ(detector->forecast(10).size(), 10U);
}

TEST(Forecast, GoesOnWithTheSeasonAndItsBandHoldsNineOfTen) {
  for (const double step : {60.0, 300.0}) {
    const auto points = daily_wave(11, step, 4);
    const auto past = static_cast<std::ptrdiff_t>(10 * kDay / step);
    const auto detector = make_detector({});
    feed(*detector, {points.begin(), points.begin() + past});
    const std::vector<ForecastPoint> forecast =
        detector->forecast(static_cast<std::size_t>(points.end() - points.begin() - past));
    std::size_t inside = 0;
    double error = 0;
    for (std::size_t i = 0; i < forecast.size(); ++i) {
      const Point& real = points[static_cast<std::size_t>(past) + i];
      ASSERT_LE(std::chrono::abs(forecast[i].time - real.time), std::chrono::seconds(1));
      inside += real.value >= forecast[i].low && real.value <= forecast[i].high ? 1U : 0U;
      error += std::abs(real.value - forecast[i].expected) / static_cast<double>(forecast.size());
    }
    EXPECT_GT(inside, forecast.size() * 88 / 100) << step;
    EXPECT_LT(error, 2.4) << step;  // The noise alone gives 1.6.
  }
}

TEST(Forecast, SaysWhenADiskIsFull) {
  Noise noise(1);
  const auto detector = make_detector({});
  for (double t = 0; t < 5 * kDay; t += 300) {
    detector->update(at_seconds(t), 40 + 6 * t / kDay + 0.3 * noise.normal());
  }
  const auto forecast = detector->forecast(7 * 24, std::chrono::hours(1));
  const std::optional<Timestamp> full = time_of_limit(forecast, 90);
  ASSERT_TRUE(full);
  const double days = static_cast<double>((*full - at_seconds(0)).count()) / 1e6 / kDay;
  EXPECT_NEAR(days, 50.0 / 6, 0.6);
  EXPECT_FALSE(time_of_limit(forecast, 200));
  EXPECT_FALSE(time_of_limit(forecast, 20, Direction::below));
  EXPECT_TRUE(time_of_limit(forecast, 75, Direction::below));
}

TEST(Forecast, ATrendIsToldAtEveryAgeOfTheDetector) {
  for (const double step : {60.0, 300.0, 900.0}) {
    for (const double season : {0.0, 10.0}) {
      Noise noise(3);
      const auto detector = make_detector({});
      const auto value = [&](double t) { return 40 + 6 * t / kDay + season * std::sin(2 * std::numbers::pi * t / kDay); };
      double next = season == 0 ? 0.8 : step > 300 ? 8.05 : 3.05;  // At first a season looks like a trend.
      for (double t = 0; t < 15 * kDay; t += step) {
        detector->update(at_seconds(t), value(t) + 0.3 * noise.normal());
        if (t / kDay < next) {
          continue;
        }
        const double age = next;
        next += 0.25;
        for (const ForecastPoint& point : detector->forecast(3 * 8, std::chrono::hours(3))) {
          const double at = static_cast<double>(to_unix_us(point.time) - to_unix_us(at_seconds(0))) * 1e-6;
          const double ahead = (at - t) / kDay;
          ASSERT_NEAR(point.expected, value(at), 1.2 + 0.15 * 6 * ahead + 0.1 * season) << "step " << step << " season " << season << " age " << age << " ahead " << ahead;
        }
      }
    }
  }
}

TEST(Forecast, NoTrendIsMadeOfNoise) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const auto detector = make_detector({.seed = seed});
    feed(*detector, daily_wave(9, 300, seed));
    const auto forecast = detector->forecast(8, std::chrono::hours(24));
    EXPECT_NEAR(forecast.back().expected, forecast.front().expected, 5);
  }
}

TEST(Forecast, StaysFiniteWhateverCame) {
  Noise noise(1);
  const auto detector = make_detector({});
  double t = 0;
  for (int i = 0; i < 1000; ++i) {
    t += 1e5 * noise.uniform() + 1e-6;
    detector->update(at_seconds(t), std::pow(10, 30 * noise.normal()));
    for (const ForecastPoint& point : detector->forecast(3)) {
      ASSERT_TRUE(std::isfinite(point.expected) && std::isfinite(point.low) &&
                  std::isfinite(point.high));
    }
  }
}

}  // namespace
}  // namespace sensus::ml
