#include "fakes.hpp"

namespace sensus::ingest {
namespace {

model::SampleBatch many(int begin, int end) {
  model::SampleBatch out;
  for (int i = begin; i < end; ++i) {
    out.append("series-" + std::to_string(i), kNow, 1);
  }
  return out;
}

Options limited(std::int64_t active_series_max) {
  Options options;
  options.active_series_max = active_series_max;
  return options;
}

constexpr const char* kRefused = "sensus_ingest_refused_samples_total{reason=\"series_limit\"}";

CORO_TEST(IngestorSeries, AtTheLimitAllAreStoredAndBeyondItOnlyTheKnownOnes) {
  Bench bench(co_await boost::asio::this_coro::executor, limited(10));
  bench.send(many(0, 10));
  CO_UNTIL(bench.all_answered());
  CO_ASSERT_OK(bench.results[0]);
  EXPECT_EQ(*bench.results[0], 10U);
  EXPECT_EQ(bench.metric(kRefused), 0);
  bench.send(many(5, 12));
  CO_UNTIL(bench.all_answered());
  CO_ASSERT_OK(bench.results[1]);
  EXPECT_EQ(*bench.results[1], 5U) << "5 to 9 go on, 10 and 11 are new";
  EXPECT_EQ(bench.metric(kRefused), 2);
  EXPECT_EQ(bench.metric("sensus_metrics_received_total"), 15);
  EXPECT_EQ(bench.metric("sensus_ingest_active_series_limit"), 10);
  EXPECT_EQ(bench.metric("sensus_ingest_series_cache_entries"), 10);
}

CORO_TEST(IngestorSeries, ABatchMayBeStoredInPart) {
  Bench bench(co_await boost::asio::this_coro::executor, limited(10));
  bench.send(many(0, 25));
  CO_UNTIL(bench.all_answered());
  CO_ASSERT_OK(bench.results[0]);
  EXPECT_EQ(*bench.results[0], 10U);
  EXPECT_EQ(bench.metric(kRefused), 15);
}

CORO_TEST(IngestorSeries, EachSenderLearnsOfItsOwnRows) {
  Bench bench(co_await boost::asio::this_coro::executor, limited(3));
  bench.send(many(0, 3));
  CO_UNTIL(bench.all_answered());
  bench.database->hold();
  bench.send(one_sample("series-0", 1));
  CO_UNTIL(bench.database->attempts() == 2);
  bench.send(many(0, 2));
  bench.send(many(3, 7));
  bench.send(many(2, 5));
  bench.database->release();
  CO_UNTIL(bench.all_answered());
  std::vector<std::size_t> stored;
  for (const auto& result : bench.results) {
    CO_ASSERT_OK(result);
    stored.push_back(*result);
  }
  EXPECT_EQ(stored, (std::vector<std::size_t>{3, 1, 2, 0, 1}));
  EXPECT_EQ(bench.database->written().size(), 3U);
}

CORO_TEST(IngestorSeries, RefusedSeriesCostTheDatabaseALookupAMinute) {
  Bench bench(co_await boost::asio::this_coro::executor, limited(1));
  bench.send(one_sample("a", 1));
  bench.send(one_sample("b", 1));
  CO_UNTIL(bench.all_answered());
  const int attempts = bench.database->attempts();
  for (int i = 0; i < 5; ++i) {
    bench.send(one_sample("b", 1));
  }
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(*bench.results.back(), 0U);
  EXPECT_EQ(bench.database->attempts(), attempts) << "nothing to write, nothing to ask";
  EXPECT_EQ(bench.metric(kRefused), 6);
  bench.clock.advance(61s);
  bench.send(one_sample("b", 1));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.database->attempts(), attempts + 1);
}

CORO_TEST(IngestorSeries, RoomIsMadeWhenSeriesAreIdle) {
  Bench bench(co_await boost::asio::this_coro::executor, limited(2));
  bench.start();
  bench.send(many(0, 2));
  CO_UNTIL(bench.all_answered());
  bench.send(many(2, 3));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(*bench.results.back(), 0U);
  bench.clock.advance(61min);
  CO_UNTIL(bench.metric("sensus_ingest_series_cache_expired_total") == 2);
  bench.send(many(2, 4));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(*bench.results.back(), 2U);
}

CORO_TEST(IngestorSeries, SeriesThatTheDatabaseKnowsGoOnAfterARestart) {
  Bench before(co_await boost::asio::this_coro::executor, limited(5));
  before.send(many(0, 5));
  CO_UNTIL(before.all_answered());
  Bench bench(co_await boost::asio::this_coro::executor, limited(5));
  bench.database->adopt(*before.database);
  bench.samples.active = 5;
  bench.start();
  CO_UNTIL(bench.samples.counts > 0);
  bench.send(many(3, 8));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(*bench.results.back(), 2U) << "3 and 4 were there; the count of the database leaves no room for others";
}

CORO_TEST(IngestorSeries, ACountThatFailsIsTriedAgainAndHoldsNothingUp) {
  Bench bench(co_await boost::asio::this_coro::executor, limited(5));
  bench.samples.counts_fail = 1;
  bench.start();
  bench.send(many(0, 5));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(*bench.results.back(), 5U);
  EXPECT_EQ(bench.samples.counts, 1);
}

CORO_TEST(IngestorSeries, AnIdThatWasNotConfirmedForLongIsAskedForAgain) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.send(one_sample("series-0", 1));
  CO_UNTIL(bench.all_answered());
  bench.clock.advance(61min);
  bench.send(one_sample("series-0", 2));
  CO_UNTIL(bench.all_answered());
  const auto written = bench.database->written();
  CO_ASSERT_EQ(written.size(), 2U);
  EXPECT_EQ(written[1].new_series.size(), 1U) << "the writer confirms it in the transaction of its samples";
}

CORO_TEST(IngestorSeries, SeriesInUseAreTouchedAndOnesWithoutARowForgotten) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.send(many(0, 2));
  CO_UNTIL(bench.all_answered());
  bench.clock.advance(20min);
  bench.database->remove("series-1");
  bench.send(many(0, 2));
  CO_UNTIL(bench.all_answered());
  auto written = bench.database->written();
  CO_ASSERT_EQ(written.size(), 2U);
  EXPECT_EQ(written[1].touch.size(), 2U);
  bench.send(many(0, 2));
  CO_UNTIL(bench.all_answered());
  written = bench.database->written();
  CO_ASSERT_EQ(written.size(), 3U);
  EXPECT_EQ(written[2].new_series, std::vector<std::string>{"series-1"});
  EXPECT_TRUE(written[2].touch.empty());
  bench.clock.advance(50min);
  bench.send(many(0, 1));
  CO_UNTIL(bench.all_answered());
  EXPECT_TRUE(bench.database->written().back().new_series.empty()) << "the touch confirmed it";
}

CORO_TEST(IngestorSeries, AFailedFlushTouchesAgain) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.send(many(0, 1));
  CO_UNTIL(bench.all_answered());
  bench.clock.advance(20min);
  bench.database->fail_next(Errc::internal);
  bench.send(many(0, 1));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.count(Errc::internal), 1U);
  bench.send(many(0, 1));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.database->written().back().touch.size(), 1U);
}

}  // namespace
}  // namespace sensus::ingest
