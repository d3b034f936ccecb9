#include "sensus/ml/counter_rate.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

namespace sensus::ml {
namespace {

const double kStale = std::bit_cast<double>(0x7FF0000000000002ULL);

Timestamp second(int s) { return from_unix_us(1'740'960'000'000'000) + std::chrono::seconds(s); }

TEST(CounterRate, IsTheIncreasePerSecond) {
  CounterRate rate;
  EXPECT_EQ(rate.update(second(0), 100), std::nullopt);
  EXPECT_EQ(rate.update(second(10), 150), 5.0);
  EXPECT_EQ(rate.update(second(40), 150), 0.0);
  EXPECT_EQ(rate.resets(), 0U);
}

TEST(CounterRate, AFallIsARestart) {
  CounterRate rate;
  static_cast<void>(rate.update(second(0), 1000));
  EXPECT_EQ(rate.update(second(10), 30), 3.0);
  EXPECT_EQ(rate.update(second(20), 50), 2.0);
  EXPECT_EQ(rate.resets(), 1U);
}

TEST(CounterRate, LateAndStrangeSamplesGiveNothing) {
  CounterRate rate;
  static_cast<void>(rate.update(second(10), 100));
  EXPECT_EQ(rate.update(second(10), 200), std::nullopt);
  EXPECT_EQ(rate.update(second(5), 50), std::nullopt);
  EXPECT_EQ(rate.update(second(15), -1), std::nullopt);
  EXPECT_EQ(rate.update(second(15), std::numeric_limits<double>::infinity()), std::nullopt);
  EXPECT_EQ(rate.update(second(20), 110), 1.0);
  EXPECT_EQ(rate.resets(), 0U);
  EXPECT_EQ(rate.update(second(25), kStale), std::nullopt);
  EXPECT_EQ(rate.update(second(300), 5), std::nullopt) << "counts anew after a stale marker";
  EXPECT_EQ(rate.update(second(310), 15), 1.0);
}

TEST(StepMeans, GivesEachStepOnceALaterSampleComes) {
  StepMeans means(std::chrono::minutes(1));
  EXPECT_FALSE(means.update(second(0), 1));
  EXPECT_FALSE(means.update(second(15), 2));
  EXPECT_FALSE(means.update(second(15), 50)) << "a duplicate";
  EXPECT_FALSE(means.update(second(10), 3)) << "out of order inside the step";
  const auto closed = means.update(second(61), 10);
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->time, second(0));
  EXPECT_DOUBLE_EQ(closed->value, 2);
  EXPECT_FALSE(means.update(second(30), 9));
  EXPECT_EQ(means.late(), 1U);
  EXPECT_FALSE(means.update(second(70), std::numeric_limits<double>::quiet_NaN()));
  const auto next = means.update(second(600), 1);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->time, second(60));
  EXPECT_DOUBLE_EQ(next->value, 10);
}

}  // namespace
}  // namespace sensus::ml
