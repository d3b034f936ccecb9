#include "fakes.hpp"
#include "sensus/codec/model_json.hpp"

#include <map>

namespace sensus::ingest {
namespace {

/// series id -> the means that were published of it.
std::map<SeriesId, std::vector<double>> published(const FakeDatabase& database) {
  std::map<SeriesId, std::vector<double>> out;
  for (const auto& flush : database.written()) {
    for (const auto& event : flush.events) {
      const auto batch = codec::parse_step_batch(event.payload);
      EXPECT_TRUE(batch);
      for (const auto& point : batch->points) {
        out[point.series_id].push_back(point.value);
      }
    }
  }
  return out;
}

CORO_TEST(StepRebuild, AnEmptyDatabaseIsNothingToWaitFor) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.start();
  bench.send(one_sample("a", 2));
  CO_UNTIL(bench.all_answered());
  EXPECT_LE(bench.samples.reads, 1);
  bench.clock.advance(71s);
  CO_UNTIL(published(*bench.database).size() == 1);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(StepRebuild, ASampleOfAWrongClockCostsNoYearsOfReading) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.samples.stored = {
      {17, {kNow - 20s, 1}}, {17, {kNow - 10s, 3}}, {18, {kNow + std::chrono::hours{24 * 400}, 5}}};
  bench.start();
  CO_UNTIL(bench.samples.reads > 2);
  bench.clock.advance(80s);
  CO_UNTIL(published(*bench.database).contains(17));
  EXPECT_EQ(published(*bench.database)[17], std::vector<double>{2});
  EXPECT_LT(bench.samples.reads, 20);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(StepRebuild, ASampleAheadOfTheClockHidesNoStepFromBeforeTheDowntime) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.samples.stored = {
      {17, {kNow - 30h - 20s, 1}}, {17, {kNow - 30h - 10s, 3}}, {18, {kNow + 5min, 5}}};
  bench.start();
  CO_UNTIL(bench.samples.read_to_end);
  bench.clock.advance(7min);
  CO_UNTIL(published(*bench.database).size() == 2);
  EXPECT_EQ(published(*bench.database)[17], std::vector<double>{2});
  EXPECT_EQ(published(*bench.database)[18], std::vector<double>{5});
  EXPECT_LT(bench.samples.reads, 60) << "the time without samples is not read";
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(StepRebuild, AClockBehindAllThatIsStoredIsBoundedToo) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.samples.stored = {{17, {kNow + std::chrono::hours{24 * 365 * 50}, 5}}};
  bench.start();
  bench.send(one_sample("a", 2));
  CO_UNTIL(bench.all_answered());
  bench.clock.advance(71s);
  CO_UNTIL(published(*bench.database).contains(1));
  EXPECT_LT(bench.samples.reads, 20);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(StepRebuild, MoreSeriesInOneInstantThanAPageHolds) {
  Bench bench(co_await boost::asio::this_coro::executor);
  constexpr SeriesId kSeries = 30'000;
  for (const auto before : {30s, 20s}) {
    for (SeriesId series = 1; series <= kSeries; ++series) {
      bench.samples.stored.push_back({series, {kNow - before, before == 30s ? 1.0 : 3.0}});
    }
  }
  bench.start();
  CO_UNTIL(bench.samples.read_to_end);
  bench.clock.advance(80s);
  CO_UNTIL(published(*bench.database).size() == static_cast<std::size_t>(kSeries));
  for (const auto& [series, means] : published(*bench.database)) {
    EXPECT_EQ(means, std::vector<double>{2}) << series;
  }
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(StepRebuild, AStepOfAnHourIsReadWhole) {
  Options options;
  options.analysis_step = 1h;
  Bench bench(co_await boost::asio::this_coro::executor, options);
  // The newest step whole, and what is before its two predecessors not at all.
  bench.samples.stored = {{17, {kNow - 5h, 1000}}, {17, {kNow - 1h, 1}}, {17, {kNow - 1s, 3}}};
  bench.start();
  CO_UNTIL(bench.samples.read_to_end);
  bench.clock.advance(2h);
  CO_UNTIL(published(*bench.database).contains(17));
  EXPECT_EQ(published(*bench.database)[17], std::vector<double>{2});
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(StepRebuild, IsGivenUpWhenItFailsUntilTheMemoryIsFull) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.samples.failures = 1'000'000;
  bench.start();
  for (int round = 0; round < 6; ++round) {
    model::SampleBatch batch;
    for (int i = 0; i < 180'000; ++i) {
      batch.append("a", kNow + std::chrono::microseconds{round * 180'000 + i}, round);
    }
    bench.send(std::move(batch));
    CO_UNTIL(bench.all_answered());
  }
  CO_UNTIL(bench.metric("sensus_ingest_step_series") >= 1);
  bench.clock.advance(71s);
  CO_UNTIL(published(*bench.database).contains(1));
  EXPECT_GE(bench.metric("sensus_ingest_step_rebuild_failures_total"), 1);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

}  // namespace
}  // namespace sensus::ingest
