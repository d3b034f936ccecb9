#include "storage/step_fold_internal.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sensus::storage {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr double kInf = std::numeric_limits<double>::infinity();

/// One series, a value a second from 0 on, in one step of a minute.
double fold(Aggregation aggregation, const std::vector<double>& values,
            std::int64_t distance_s = 1) {
  StepFold fold(aggregation, {0, 60 * kSecond, 1}, 1, 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    fold.add(0, 0, static_cast<std::int64_t>(i) * distance_s * kSecond, values[i]);
  }
  const auto points = fold.points(0);
  return points.empty() ? std::nan("") : points.at(0).value;
}

TEST(StepFold, FoldsAStep) {
  const std::vector<double> values{3, 1, 2, 10};
  EXPECT_EQ(fold(Aggregation::min, values), 1);
  EXPECT_EQ(fold(Aggregation::max, values), 10);
  EXPECT_EQ(fold(Aggregation::sum, values), 16);
  EXPECT_EQ(fold(Aggregation::avg, values), 4);
  EXPECT_EQ(fold(Aggregation::count, values), 4);
  EXPECT_EQ(fold(Aggregation::last, values), 10);
  EXPECT_EQ(fold(Aggregation::p50, values), 2.5);
  EXPECT_NEAR(fold(Aggregation::p95, values), 8.95, 1e-12);
  EXPECT_NEAR(fold(Aggregation::p99, values), 9.79, 1e-12);
  EXPECT_EQ(fold(Aggregation::p99, {7}), 7);
}

TEST(StepFold, NumbersAtTheEndsOfTheType) {
  const double nan = std::nan("");
  EXPECT_EQ(fold(Aggregation::avg, {1e308, 1.7e308}), 1.35e308);
  EXPECT_EQ(fold(Aggregation::sum, {1e308, 1.7e308}), kInf);
  EXPECT_EQ(fold(Aggregation::sum, {1e308, 1.7e308, -1.7e308}), 1e308);
  EXPECT_EQ(fold(Aggregation::p50, {kInf, kInf}), kInf);
  EXPECT_EQ(fold(Aggregation::p50, {1, 2, kInf}), 2);
  EXPECT_EQ(fold(Aggregation::count, {nan, 1, nan}), 1);
  EXPECT_TRUE(std::isnan(fold(Aggregation::count, {nan})));
  EXPECT_TRUE(std::isnan(fold(Aggregation::sum, {kInf, -kInf})));
  EXPECT_EQ(fold(Aggregation::avg, {5e-324, 5e-324}), 5e-324);
}

TEST(StepFold, RateIsThatOfPrometheus) {
  // 15 s apart, 4 samples, 45 s covered, the end is 15 s away and near.
  EXPECT_NEAR(fold(Aggregation::rate, {0, 15, 30, 45}, 15), 1, 1e-12);
  // A reset: 10 + 5 + 10.
  EXPECT_NEAR(fold(Aggregation::rate, {100, 110, 5, 15}, 15), 25 * (60.0 / 45) / 60, 1e-12);
  // The end is 57 s away, far: half a distance is added.
  EXPECT_NEAR(fold(Aggregation::rate, {10, 11, 12, 13}), 3 * (3.5 / 3) / 60, 1e-12);
  EXPECT_EQ(fold(Aggregation::rate, {5, 5, 5}), 0);
  EXPECT_TRUE(std::isnan(fold(Aggregation::rate, {5})));
  // Not to before the counter's zero: from the first sample back there are 2 s, at half of 1 a
  // second.
  EXPECT_NEAR(rate_of({.from_s = 10,
                       .to_s = 0,
                       .sampled_s = 20,
                       .window_s = 30,
                       .first = 1,
                       .increase = 10,
                       .samples = 3}),
              10 * (22.0 / 20) / 30, 1e-12);
}

TEST(StepFold, StepsAndSeriesStandApart) {
  StepFold rates(Aggregation::rate, {0, 60 * kSecond, 2}, 2, 2);
  for (std::int64_t i = 0; i < 9; ++i) {
    rates.add(0, 0, i * 15 * kSecond, static_cast<double>(i));
    rates.add(1, 1, i * 15 * kSecond, static_cast<double>(i) * 2);
  }
  const auto first = rates.points(0);
  const auto second = rates.points(1);
  ASSERT_EQ(first.size(), 2U) << "the ninth is outside the grid";
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(to_unix_us(first[1].time), 60 * kSecond);
  EXPECT_NEAR(second[1].value, 2 * first[1].value, 1e-12);
}

TEST(StepFold, SlotsCountAsTheirSamples) {
  StepFold means(Aggregation::avg, {0, 600 * kSecond, 1}, 1, 1);
  means.add_slot(0, {0, 30, 3});
  means.add_slot(0, {600 * kSecond, 1, 1});
  means.add(0, 0, 599 * kSecond, 2);
  EXPECT_EQ(means.points(0).at(0).value, 8);
  StepFold totals(Aggregation::sum, {0, 600 * kSecond, 1}, 1, 1);
  totals.add_slot(0, {0, 30, 3});
  totals.add_slot(0, {300 * kSecond, std::nan(""), 2});
  EXPECT_TRUE(std::isnan(totals.points(0).at(0).value)) << "as of the samples themselves";
  StepFold newest(Aggregation::last, {0, 600 * kSecond, 1}, 1, 1);
  newest.add(0, 0, 599 * kSecond, 2);
  newest.add_slot(0, {0, 30, 3});
  EXPECT_EQ(newest.points(0).at(0).value, 2);
  EXPECT_FALSE(StepFold::takes_slots(Aggregation::rate));
  EXPECT_FALSE(StepFold::takes_slots(Aggregation::p95));
  EXPECT_TRUE(StepFold::takes_slots(Aggregation::count));
}

}  // namespace
}  // namespace sensus::storage
