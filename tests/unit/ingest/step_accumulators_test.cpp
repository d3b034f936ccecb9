#include "ingest/step_accumulators_internal.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sensus::ingest {
namespace {

constexpr TenantId kT = kDefaultTenant;
constexpr std::size_t kAll = 1'000'000;
const Timestamp kBase = parse_rfc3339("2026-06-01T12:00:00Z").value();

Timestamp at(double second) { return kBase + std::chrono::microseconds{static_cast<std::int64_t>(second * 1e6)}; }

class StepAccumulatorsTest : public testing::Test {
 protected:
  /// A sample that arrives as it was taken.
  void add(SeriesId series, double second, double value) { steps.add(kT, series, at(second), value, at(second)); }
  std::vector<codec::StepPoint> closed() { return steps.take(kT, kAll).points; }

  StepAccumulators steps{60s, 10s};
};

TEST_F(StepAccumulatorsTest, AStepClosesWhenItsSeriesMovesOn) {
  add(1, 0, 2);
  add(1, 30, 4);
  EXPECT_EQ(steps.closed(), 0U);
  add(1, 60, 100);
  const auto points = closed();
  ASSERT_EQ(points.size(), 1U);
  EXPECT_EQ(points[0].series_id, 1);
  EXPECT_EQ(points[0].time, at(0));
  EXPECT_DOUBLE_EQ(points[0].value, 3);
}

TEST_F(StepAccumulatorsTest, WhatIsNotFiniteNeverReachesADetector) {
  add(1, 0, std::nan(""));
  add(1, 1, 2);
  for (const double odd : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    add(1, 2, odd);
  }
  add(1, 3, 4);
  add(1, 60, std::nan(""));
  EXPECT_EQ(steps.closed(), 0U) << "a NaN does not move the series on";
  add(1, 61, 1);
  const auto points = closed();
  ASSERT_EQ(points.size(), 1U);
  EXPECT_DOUBLE_EQ(points[0].value, 3);
}

TEST_F(StepAccumulatorsTest, AClockThatWasFarAheadIsForgottenWhenItIsMended) {
  constexpr double kYear = 365 * 86400;
  add(1, kYear, 7);
  add(2, kYear, 7);
  EXPECT_FALSE(steps.close_due(at(kYear + 100), kAll));
  EXPECT_EQ(closed().size(), 2U);
  add(2, kYear + 120, 8);
  for (const SeriesId series : {1, 2}) {
    add(series, 0, 2);
    add(series, 10, 4);
    add(series, 60, 1);
  }
  const auto points = closed();
  ASSERT_EQ(points.size(), 2U) << "neither series waits for next year";
  EXPECT_DOUBLE_EQ(points[0].value, 3);
  EXPECT_DOUBLE_EQ(points[1].value, 3) << "the step that was open in the future is dropped";
  EXPECT_EQ(steps.late(), 0U);
}

TEST_F(StepAccumulatorsTest, AClockThatGoesBackALittleCostsLateSamplesOnly) {
  add(1, 3600, 7);
  add(1, 0, 1);
  EXPECT_EQ(steps.late(), 1U);
  add(1, 3660, 8);
  ASSERT_EQ(closed().size(), 1U);
}

TEST_F(StepAccumulatorsTest, AStepClosesGraceAfterItsEnd) {
  add(1, 5, 7);
  EXPECT_FALSE(steps.close_due(at(69), kAll));
  EXPECT_EQ(steps.closed(), 0U);
  EXPECT_FALSE(steps.close_due(at(70), kAll));
  EXPECT_EQ(steps.closed(), 1U);
  EXPECT_FALSE(steps.close_due(at(100), kAll));
  EXPECT_EQ(steps.closed(), 1U) << "once";
}

TEST_F(StepAccumulatorsTest, OldSamplesKeepTheirStepOpenWhileTheyCome) {
  // History posted in bulk: its steps ended long ago, yet a step is not closed between two of its samples.
  steps.add(kT, 1, at(-7200), 1, at(0));
  steps.add(kT, 1, at(-7190), 3, at(8));
  EXPECT_FALSE(steps.close_due(at(15), kAll));
  EXPECT_EQ(steps.closed(), 0U);
  EXPECT_FALSE(steps.close_due(at(18), kAll));
  const auto points = closed();
  ASSERT_EQ(points.size(), 1U);
  EXPECT_EQ(points[0].time, at(-7200));
  EXPECT_DOUBLE_EQ(points[0].value, 2);
}

TEST_F(StepAccumulatorsTest, LateSamplesAreCountedAndNotPublished) {
  add(1, 0, 1);
  add(1, 60, 1);
  add(1, 30, 9);
  EXPECT_EQ(steps.late(), 1U);
  EXPECT_FALSE(steps.close_due(at(130), kAll));
  add(1, 119, 9);
  EXPECT_EQ(steps.late(), 2U);
  add(1, 131, 5);
  EXPECT_EQ(steps.late(), 2U);
  const auto points = closed();
  ASSERT_EQ(points.size(), 2U);
  EXPECT_DOUBLE_EQ(points[1].value, 1);
}

TEST_F(StepAccumulatorsTest, ASeriesGoesOnAfterAPause) {
  add(1, 0, 1);
  EXPECT_FALSE(steps.close_due(at(70), kAll));
  add(1, 300, 2);
  EXPECT_FALSE(steps.close_due(at(369), kAll));
  EXPECT_EQ(steps.closed(), 1U);
  EXPECT_FALSE(steps.close_due(at(370), kAll));
  EXPECT_EQ(steps.closed(), 2U);
}

TEST_F(StepAccumulatorsTest, IdleSeriesAreForgotten) {
  add(1, 0, 1);
  EXPECT_FALSE(steps.close_due(at(70), kAll));
  EXPECT_EQ(steps.series(), 1U);
  EXPECT_FALSE(steps.close_due(at(609), kAll));
  EXPECT_EQ(steps.series(), 1U);
  EXPECT_FALSE(steps.close_due(at(5000), kAll));
  EXPECT_EQ(steps.series(), 0U);
}

TEST_F(StepAccumulatorsTest, WorkIsCutIntoPieces) {
  for (SeriesId series = 1; series <= 10; ++series) {
    add(series, 0, 1);
  }
  EXPECT_TRUE(steps.close_due(at(100), 4));
  EXPECT_EQ(steps.closed(), 4U);
  EXPECT_TRUE(steps.close_due(at(100), 4));
  EXPECT_FALSE(steps.close_due(at(100), 4));
  EXPECT_EQ(steps.closed(), 10U);
}

TEST_F(StepAccumulatorsTest, LargeValuesDoNotOverflow) {
  add(1, 0, 1.7e308);
  add(1, 1, 1.7e308);
  add(1, 2, 1.7e308);
  add(1, 3, -1.7e308);
  add(1, 60, 0);
  const auto points = closed();
  ASSERT_EQ(points.size(), 1U);
  EXPECT_TRUE(std::isfinite(points[0].value));
  EXPECT_NEAR(points[0].value / 0.85e308, 1, 1e-9);
}

TEST_F(StepAccumulatorsTest, ABrokenWriteGivesItsPointsBackInOrder) {
  for (SeriesId series = 1; series <= 4; ++series) {
    add(series, 0, 1);
    add(series, 60, 1);
  }
  const auto first = steps.take(kT, 2);
  ASSERT_EQ(first.points.size(), 2U);
  EXPECT_EQ(steps.closed(), 2U);
  steps.give_back(kT, first);
  const auto all = closed();
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[0].series_id, first.points[0].series_id);
  EXPECT_EQ(all[1].series_id, first.points[1].series_id);
}

TEST(StepAccumulators, AStepOfZeroPublishesEverySample) {
  StepAccumulators steps(0s, 10s);
  steps.add(kT, 1, at(0.5), 1, at(1));
  steps.add(kT, 1, at(0.25), 2, at(1));
  const auto points = steps.take(kT, kAll).points;
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].time, at(0.5));
  EXPECT_EQ(points[1].time, at(0.25));
  EXPECT_EQ(steps.series(), 0U);
}

TEST(StepAccumulators, TheWaitingPointsAreBounded) {
  StepAccumulators steps(0s, 10s, 3);
  for (int i = 0; i < 5; ++i) {
    steps.add(kT, 1, at(i), i, at(i));
  }
  EXPECT_EQ(steps.closed(), 3U);
  EXPECT_EQ(steps.dropped(), 2U);
  const auto points = steps.take(kT, kAll).points;
  EXPECT_DOUBLE_EQ(points.at(0).value, 2) << "the oldest go first";
  steps.give_back(kT, {steps.step(), {{1, at(0), 0}, {1, at(1), 1}, {1, at(2), 2}, {1, at(3), 3}}});
  EXPECT_EQ(steps.closed(), 3U);
  EXPECT_EQ(steps.dropped(), 3U);
}

TEST(StepAccumulators, TenantsAreTakenApart) {
  StepAccumulators steps(0s, 10s);
  steps.add(1, 1, at(0), 0, at(0));
  steps.add(2, 2, at(0), 0, at(0));
  EXPECT_EQ(steps.next_tenant(), 1);
  EXPECT_EQ(steps.take(1, kAll).points.size(), 1U);
  EXPECT_EQ(steps.next_tenant(), 2);
  EXPECT_TRUE(steps.take(1, kAll).points.empty());
  EXPECT_EQ(steps.take(2, kAll).points.size(), 1U);
  EXPECT_EQ(steps.next_tenant(), std::nullopt);
}

TEST(StepAccumulators, StepsBeginAtMultiplesBeforeAndAfter1970) {
  EXPECT_EQ(step_start(from_unix_us(59'999'999), 60s), from_unix_us(0));
  EXPECT_EQ(step_start(from_unix_us(60'000'000), 60s), from_unix_us(60'000'000));
  EXPECT_EQ(step_start(from_unix_us(-1), 60s), from_unix_us(-60'000'000));
}

TEST_F(StepAccumulatorsTest, OfACounterTheLastValueCounts) {
  steps.mark_counter(1000);
  add(1000, 0, 100);
  add(1000, 30, 160);
  add(1000, 45, 5);  // It was reset.
  add(1000, 60, 7);
  add(2, 0, 100);
  add(2, 30, 160);
  add(2, 60, 0);
  const auto points = closed();
  ASSERT_EQ(points.size(), 2U);
  EXPECT_DOUBLE_EQ(points[0].value, 5);
  EXPECT_DOUBLE_EQ(points[1].value, 130) << "any other series has a mean";
}

TEST_F(StepAccumulatorsTest, ASeriesMayHaveAStepOfItsOwn) {
  steps.set_step(7, 15s, 0);
  for (int second = 0; second <= 60; second += 5) {
    add(7, second, second);
    add(8, second, second);
  }
  const auto quick = steps.take(kT, kAll);
  EXPECT_EQ(quick.step, 15s);
  ASSERT_EQ(quick.points.size(), 4U);
  EXPECT_EQ(quick.points[1].time, at(15));
  EXPECT_DOUBLE_EQ(quick.points[1].value, 20);
  const auto usual = steps.take(kT, kAll);
  EXPECT_EQ(usual.step, 60s);
  ASSERT_EQ(usual.points.size(), 1U);
  steps.give_back(kT, quick);
  EXPECT_EQ(steps.take(kT, kAll).step, 15s);
  EXPECT_EQ(steps.longest_step(), 60s);
}

TEST_F(StepAccumulatorsTest, TheRuleOfTheLowestRankDecidesTheStep) {
  steps.set_step(7, 15s, 3);
  steps.set_step(7, 30s, 5);
  add(7, 0, 1);
  add(7, 16, 1);
  EXPECT_EQ(steps.take(kT, kAll).step, 15s);
  steps.set_step(7, 0s, 1);
  add(7, 20, 8);
  add(7, 59, 10);
  add(7, 60, 1);
  const auto closed = steps.take(kT, kAll);
  EXPECT_EQ(closed.step, 60s);
  ASSERT_EQ(closed.points.size(), 1U);
  EXPECT_DOUBLE_EQ(closed.points[0].value, 9) << "what was begun at the other step ends unpublished";
}

TEST_F(StepAccumulatorsTest, AStepOfItsOwnClosesInItsOwnTime) {
  steps.set_step(7, 15s, 0);
  steps.set_step(9, 300s, 0);
  add(7, 0, 1);
  add(8, 0, 1);
  add(9, 0, 1);
  EXPECT_FALSE(steps.close_due(at(26), kAll));
  EXPECT_EQ(steps.closed(), 1U);
  EXPECT_FALSE(steps.close_due(at(71), kAll));
  EXPECT_EQ(steps.closed(), 2U);
  EXPECT_FALSE(steps.close_due(at(311), kAll));
  EXPECT_EQ(steps.closed(), 3U);
}

}  // namespace
}  // namespace sensus::ingest
