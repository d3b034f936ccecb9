#include "fakes.hpp"

#include "sensus/codec/model_json.hpp"

namespace sensus::ingest {
namespace {

std::vector<codec::StepPoint> published(const FakeDatabase& database) {
  std::vector<codec::StepPoint> out;
  for (const auto& flush : database.written()) {
    for (const auto& event : flush.events) {
      EXPECT_EQ(event.topic, model::Topic::metrics);
      EXPECT_EQ(event.type, "metric");
      const auto batch = codec::parse_step_batch(event.payload);
      EXPECT_TRUE(batch);
      EXPECT_LE(batch->points.size(), 500U);
      out.insert(out.end(), batch->points.begin(), batch->points.end());
    }
  }
  return out;
}

CORO_TEST(IngestorSteps, AClosedStepTravelsThroughTheOutbox) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.start();
  bench.send(one_sample("a", 2));
  bench.send(one_sample("a", 4, kNow + 30s));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.outbox_wakes, 0);
  bench.clock.advance(71s);
  CO_UNTIL(bench.outbox_wakes == 1);
  const auto points = published(*bench.database);
  CO_ASSERT_EQ(points.size(), 1U);
  EXPECT_EQ(points[0].series_id, 1);
  EXPECT_EQ(points[0].time, kNow);
  EXPECT_EQ(points[0].value, 3);
  EXPECT_EQ(bench.metric("sensus_ingest_step_points_total"), 1);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorSteps, EventsCarryAtMostFiveHundredPoints) {
  Options options;
  options.analysis_step = 0ms;
  Bench bench(co_await boost::asio::this_coro::executor, options);
  bench.start();
  model::SampleBatch batch;
  for (int i = 0; i < 1201; ++i) {
    batch.append("a", kNow + std::chrono::seconds{i}, i);
  }
  bench.send(std::move(batch));
  CO_UNTIL(published(*bench.database).size() == 1201);
  EXPECT_EQ(bench.database->events(), 3U);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorSteps, OpenStepsAreRebuiltFromStoredSamples) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.samples.failures = 1;
  bench.samples.stored = {{17, {kNow - 1h, 99}}, {17, {kNow - 20s, 1}}, {18, {kNow - 20s, 5}}, {17, {kNow - 10s, 3}}};
  bench.start();
  bench.send(one_sample("new", 8));
  CO_UNTIL(bench.all_answered());
  CO_UNTIL(bench.samples.read_to_end);
  bench.clock.advance(80s);
  CO_UNTIL(published(*bench.database).size() == 3);
  for (const auto& point : published(*bench.database)) {
    EXPECT_EQ(point.value, point.series_id == 17 ? 2 : point.series_id == 18 ? 5 : 8) << point.series_id;
  }
  EXPECT_EQ(bench.metric("sensus_ingest_step_rebuild_failures_total"), 1);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorSteps, ManyStoredSamplesAreReadInPages) {
  Bench bench(co_await boost::asio::this_coro::executor);
  // More than a page, many series in each instant, so that pages end inside one.
  for (int i = 0; i < 120'000; ++i) {
    bench.samples.stored.push_back({i % 1000 + 1, {kNow - 30s + std::chrono::milliseconds{i / 1000}, 1}});
  }
  bench.start();
  CO_UNTIL(bench.samples.read_to_end);
  bench.clock.advance(80s);
  CO_UNTIL(published(*bench.database).size() >= 1000);
  const auto points = published(*bench.database);
  EXPECT_EQ(points.size(), 1000U);
  EXPECT_TRUE(std::all_of(points.begin(), points.end(), [](const auto& point) { return point.value == 1; }));
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorSteps, ReadingManyStoredSamplesCostsWhatTheyAreNotTheirSquare) {
  Bench bench(co_await boost::asio::this_coro::executor);
  constexpr int kCount = 400'000;
  for (int i = 0; i < kCount; ++i) {
    bench.samples.stored.push_back({i % 1000 + 1, {kNow - 100s + std::chrono::microseconds{i * 100}, 1}});
  }
  bench.start();
  CO_UNTIL(bench.samples.read_to_end);
  EXPECT_LT(bench.samples.scanned, 4U * kCount);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorSteps, PointsThatCannotBeWrittenNeverStopSamples) {
  Options options;
  options.analysis_step = 0ms;
  Bench bench(co_await boost::asio::this_coro::executor, options);
  bench.database->fail_events(true);
  bench.start();
  for (int i = 0; i < 20; ++i) {
    bench.send(one_sample("a", i));
    CO_UNTIL(bench.all_answered());
  }
  // One flush may have taken points along before they were known to be trouble.
  EXPECT_GE(bench.accepted(), 19U);
  EXPECT_EQ(bench.database->events(), 0U);
  bench.database->fail_events(false);
  CO_UNTIL(published(*bench.database).size() == bench.accepted());
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorSteps, LateSamplesAreStoredAndCounted) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.start();
  bench.send(one_sample("a", 1, kNow + 60s));
  CO_UNTIL(bench.all_answered());
  bench.send(one_sample("a", 1, kNow));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.database->rows(), 2U);
  CO_UNTIL(bench.metric("sensus_ingest_step_late_samples_total") == 1);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

}  // namespace
}  // namespace sensus::ingest
