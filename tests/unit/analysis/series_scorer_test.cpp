#include "series_scorer_internal.hpp"

#include "anomaly_fixture.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

using model::MetricType;
using test::healthy;
using test::minute;

SeriesScorer make(SeriesKind kind) { return {kind, ml::make_detector({})}; }

TEST(SeriesKind, MetadataGoesBeforeTheName) {
  EXPECT_EQ(kind_of("http_requests_total", std::nullopt), SeriesKind::counter);
  EXPECT_EQ(kind_of("http_requests_total", MetricType::unknown), SeriesKind::counter);
  EXPECT_EQ(kind_of("http_requests_total", MetricType::gauge), SeriesKind::values);
  EXPECT_EQ(kind_of("context_switches", MetricType::counter), SeriesKind::counter_means);
  EXPECT_EQ(kind_of("rpc_seconds_bucket", MetricType::histogram), SeriesKind::counter);
  EXPECT_EQ(kind_of("temperature", std::nullopt), SeriesKind::values);
}

TEST(SeriesScorer, OfACounterTheRateIsJudged) {
  SeriesScorer scorer = make(SeriesKind::counter);
  EXPECT_FALSE(scorer.update(minute(0), 100)) << "nothing to count from";
  EXPECT_EQ(scorer.last_time(), minute(0));
  const auto rate = scorer.update(minute(1), 160);
  ASSERT_TRUE(rate);
  EXPECT_DOUBLE_EQ(rate->value, 1);
  EXPECT_FALSE(scorer.update(minute(1), 400)) << "it was there before";
  const auto reset = scorer.update(minute(2), 30);
  ASSERT_TRUE(reset);
  EXPECT_DOUBLE_EQ(reset->value, 0.5) << "counted from zero since";
}

TEST(SeriesScorer, AStepOfMeansInWhichACounterWasResetSaysNothing) {
  SeriesScorer scorer = make(SeriesKind::counter_means);
  EXPECT_FALSE(scorer.update(minute(0), 1e6));
  ASSERT_TRUE(scorer.update(minute(1), 1e6 + 60));
  EXPECT_FALSE(scorer.update(minute(2), 5e5));
  EXPECT_FALSE(scorer.update(minute(3), 30)) << "fallen again, from the mean of the step of the reset";
  const auto rate = scorer.update(minute(4), 90);
  ASSERT_TRUE(rate);
  EXPECT_DOUBLE_EQ(rate->value, 1);
}

TEST(SeriesScorer, ACounterThatGrowsSteadilyIsNoAnomalyAndABurstIs) {
  SeriesScorer scorer = make(SeriesKind::counter);
  double count = 0;
  std::size_t flagged = 0;
  for (std::size_t i = 0; i < 400; ++i) {
    count += 60 * healthy(i, 1);
    const double value = i == 350 ? count = 60 * healthy(i, 1) : count;  // A restart of the sender at the begin of a step.
    const auto scored = scorer.update(minute(i), value);
    flagged += scored && scored->verdict.is_anomaly ? 1 : 0;
  }
  EXPECT_EQ(flagged, 0U);
  const auto burst = scorer.update(minute(400), count + 60 * 400);
  ASSERT_TRUE(burst);
  EXPECT_TRUE(burst->verdict.is_anomaly);
  EXPECT_NEAR(burst->verdict.expected, 100, 5) << "in counts a second";
}

TEST(SeriesScorer, GoesOnFromItsStateWithoutLosingAStep) {
  SeriesScorer whole = make(SeriesKind::counter);
  double count = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    count += healthy(i, 2);
    whole.update(minute(i), count);
  }
  const auto restored = SeriesScorer::restore(SeriesKind::counter, {}, whole.serialize());
  ASSERT_TRUE(restored);
  EXPECT_EQ((*restored)->last_time(), whole.last_time());
  for (std::size_t i = 200; i < 210; ++i) {
    count += healthy(i, 2);
    const auto expected = whole.update(minute(i), count);
    const auto scored = (*restored)->update(minute(i), count);
    ASSERT_TRUE(expected && scored);
    EXPECT_EQ(scored->value, expected->value);
    EXPECT_EQ(scored->verdict.score, expected->verdict.score);
  }
}

TEST(SeriesScorer, RefusesStatesOfAnotherKindAndHostileBytes) {
  SeriesScorer scorer = make(SeriesKind::counter);
  for (std::size_t i = 0; i < 100; ++i) {
    scorer.update(minute(i), static_cast<double>(i));
  }
  const std::string bytes = scorer.serialize();
  EXPECT_TRUE(SeriesScorer::restore(SeriesKind::counter, {}, bytes));
  EXPECT_FALSE(SeriesScorer::restore(SeriesKind::values, {}, bytes));
  for (std::size_t size = 0; size < bytes.size(); size += 7) {
    EXPECT_FALSE(SeriesScorer::restore(SeriesKind::counter, {}, bytes.substr(0, size))) << size;
  }
  std::string odd = bytes;
  odd[17] = '\x7F';
  odd[16] = '\xF8';  // Not a number.
  EXPECT_FALSE(SeriesScorer::restore(SeriesKind::counter, {}, odd));
}

}  // namespace
}  // namespace sensus::analysis
