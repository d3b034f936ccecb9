#include "ingest/step_feed_internal.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sensus::ingest {
namespace {

constexpr TenantId kT = kDefaultTenant;
const Timestamp kBase = parse_rfc3339("2026-06-01T12:00:00Z").value();

Timestamp at(int second) { return kBase + std::chrono::seconds{second}; }

class StepFeedTest : public testing::Test {
 protected:
  void commit(SeriesId series, int second, double value) { feed.committed(kT, {{series, at(second), value}}, {}, at(second)); }
  /// Mean of the only step that is open, or -1.
  double close_all() {
    EXPECT_FALSE(steps.close_due(at(10'000), 1'000'000));
    const auto points = steps.take(kT, 100).points;
    EXPECT_LE(points.size(), 1U);
    return points.empty() ? -1 : points[0].value;
  }

  StepAccumulators steps{60s, 10s};
  StepFeed feed{steps, 3};
};

TEST_F(StepFeedTest, CommitsWaitForTheRebuild) {
  commit(1, 0, 4);
  EXPECT_EQ(steps.series(), 0U);
  EXPECT_FALSE(feed.live());
  feed.finish_rebuild(at(1));
  EXPECT_TRUE(feed.live());
  commit(1, 2, 6);
  EXPECT_DOUBLE_EQ(close_all(), 5);
}

TEST_F(StepFeedTest, NewSeriesAreNamedByTheWriter) {
  feed.finish_rebuild(at(0));
  feed.committed(kT, {{-2, at(0), 8}}, {11, 12}, at(0));
  EXPECT_FALSE(steps.close_due(at(1000), 100));
  EXPECT_EQ(steps.take(kT, 1).points.at(0).series_id, 12);
}

TEST_F(StepFeedTest, ACommitThatTheRebuildAlsoReadsCountsOnce) {
  commit(1, 10, 100);
  feed.restored(kT, {{1, {at(0), 1}}, {1, {at(10), 100}}}, at(11));
  feed.finish_rebuild(at(11));
  EXPECT_DOUBLE_EQ(close_all(), 50.5);
}

TEST_F(StepFeedTest, PagesMayOverlapInTheirLastInstant) {
  feed.restored(kT, {{1, {at(0), 1}}, {1, {at(10), 4}}}, at(11));
  feed.restored(kT, {{1, {at(10), 4}}, {1, {at(20), 7}}}, at(21));
  feed.finish_rebuild(at(21));
  EXPECT_DOUBLE_EQ(close_all(), 4);
}

TEST_F(StepFeedTest, WhatWasKeptAsideIsHandedOnInParts) {
  commit(1, 0, 1);
  commit(1, 10, 2);
  EXPECT_FALSE(feed.finish_rebuild(at(11), 1));
  EXPECT_FALSE(feed.live());
  // One that comes in between keeps its place behind the others.
  commit(1, 60, 9);
  EXPECT_TRUE(feed.finish_rebuild(at(61), 2));
  EXPECT_TRUE(feed.live());
  const auto points = steps.take(kT, 100).points;
  ASSERT_EQ(points.size(), 1U);
  EXPECT_DOUBLE_EQ(points[0].value, 1.5);
  EXPECT_EQ(steps.late(), 0U);
}

TEST_F(StepFeedTest, OddStoredSamplesDoNotReachDetectors) {
  feed.restored(kT, {{1, {at(0), std::nan("")}}, {1, {at(5), 3}}, {1, {at(5), 5}}, {1, {at(6), HUGE_VAL}}}, at(7));
  feed.finish_rebuild(at(7));
  EXPECT_DOUBLE_EQ(close_all(), 4) << "a time that is stored twice counts as it did live";
}

TEST_F(StepFeedTest, WhatIsKeptAsideIsBounded) {
  for (int i = 0; i < 5; ++i) {
    commit(1, i, 1);
  }
  EXPECT_EQ(feed.overflowed(), 2U);
}

}  // namespace
}  // namespace sensus::ingest
