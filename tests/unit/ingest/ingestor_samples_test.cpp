#include "fakes.hpp"

namespace sensus::ingest {
namespace {

CORO_TEST(IngestorSamples, AnAcceptReturnsAfterTheCommit) {
  Bench bench(co_await boost::asio::this_coro::executor);
  model::SampleBatch batch = one_sample("a", 1.5);
  batch.append("b", kNow, 2.5);
  const auto accepted = co_await bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(batch));
  CO_ASSERT_OK(accepted);
  EXPECT_EQ(*accepted, 2U);
  const auto written = bench.database->written();
  CO_ASSERT_EQ(written.size(), 1U);
  EXPECT_EQ(written[0].tenant, kDefaultTenant);
  EXPECT_EQ(written[0].new_series.size(), 2U);
  CO_ASSERT_EQ(written[0].rows.size(), 2U);
  EXPECT_EQ(written[0].rows[1].value, 2.5);
  EXPECT_EQ(bench.metric("sensus_metrics_received_total"), 2);
  EXPECT_EQ(bench.metric("sensus_processing_duration_seconds_count{kind=\"metrics\"}"), 1);
}

CORO_TEST(IngestorSamples, AnEmptyBatchNeedsNoCommit) {
  Bench bench(co_await boost::asio::this_coro::executor);
  auto accepted_batch = model::SampleBatch{};
  const auto accepted = co_await bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(accepted_batch));
  CO_ASSERT_OK(accepted);
  EXPECT_EQ(*accepted, 0U);
  EXPECT_EQ(bench.database->attempts(), 0);
}

CORO_TEST(IngestorSamples, ManyRequestsShareACommit) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.database->hold();
  for (int i = 0; i < 256; ++i) {
    bench.send(one_sample("series-" + std::to_string(i % 10), i));
  }
  CO_UNTIL(bench.attempted());
  bench.database->release();
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.accepted(), 256U);
  EXPECT_EQ(bench.database->rows(), 256U);
  EXPECT_LE(bench.database->written().size(), 4U);
  for (const auto& flush : bench.database->written()) {
    auto keys = flush.new_series;
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end()) << "a new series is named once a flush";
  }
}

CORO_TEST(IngestorSamples, ASeriesIsNewOnlyOnce) {
  Bench bench(co_await boost::asio::this_coro::executor);
  for (int i = 0; i < 3; ++i) {
    bench.send(one_sample("a", i));
    CO_UNTIL(bench.all_answered());
  }
  const auto written = bench.database->written();
  CO_ASSERT_EQ(written.size(), 3U);
  EXPECT_EQ(written[0].rows[0].series, -1);
  EXPECT_EQ(written[2].new_series.size(), 0U);
  EXPECT_EQ(written[2].rows[0].series, 1);
  EXPECT_EQ(bench.metric("sensus_ingest_series_cache_misses_total"), 1);
  EXPECT_EQ(bench.metric("sensus_ingest_series_cache_hits_total"), 2);
  EXPECT_EQ(bench.metric("sensus_ingest_series_cache_entries"), 1);
}

CORO_TEST(IngestorSamples, FlushesAreCutAtTheirLimit) {
  Options options;
  options.flush_rows_max = 10;
  Bench bench(co_await boost::asio::this_coro::executor, options);
  bench.database->hold();
  for (int i = 0; i < 35; ++i) {
    bench.send(one_sample("a", i));
  }
  CO_UNTIL(bench.attempted());
  bench.database->release();
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.database->rows(), 35U);
  for (const auto& flush : bench.database->written()) {
    EXPECT_LE(flush.rows.size(), 10U);
  }
}

CORO_TEST(IngestorSamples, TenantsAreWrittenApart) {
  Bench bench(co_await boost::asio::this_coro::executor);
  auto first_batch = one_sample("a");
  const auto first = co_await bench.ingestor->accept(Deadline::after(5s), 1, std::move(first_batch));
  auto second_batch = one_sample("a");
  const auto second = co_await bench.ingestor->accept(Deadline::after(5s), 2, std::move(second_batch));
  CO_ASSERT_OK(first);
  CO_ASSERT_OK(second);
  const auto written = bench.database->written();
  CO_ASSERT_EQ(written.size(), 2U);
  EXPECT_EQ(written[1].tenant, 2);
  EXPECT_EQ(written[1].new_series.size(), 1U) << "the other tenant's series is not taken for one's own";
}

CORO_TEST(IngestorSamples, AFullQueueRefusesAtOnceAndRecovers) {
  Options options;
  options.queue_limit = ByteSize{4096};
  Bench bench(co_await boost::asio::this_coro::executor, options);
  bench.database->hold();
  for (int i = 0; i < 300; ++i) {
    bench.send(one_sample("series", i));
  }
  CO_UNTIL(bench.count(Errc::overloaded) > 0);
  EXPECT_EQ(bench.ingestor->health().state, telemetry::HealthState::degraded);
  bench.database->release();
  CO_UNTIL(bench.all_answered());
  EXPECT_GT(bench.accepted(), 50U);
  EXPECT_EQ(bench.accepted() + bench.count(Errc::overloaded), 300U);
  EXPECT_EQ(bench.database->rows(), bench.accepted());
  EXPECT_EQ(bench.metric("sensus_ingest_refused_requests_total{kind=\"metrics\",reason=\"overloaded\"}"),
            static_cast<double>(bench.count(Errc::overloaded)));
  bench.send(one_sample("series"));
  CO_UNTIL(bench.all_answered());
  EXPECT_TRUE(bench.results.back()) << "room again";
  EXPECT_EQ(bench.metric("sensus_ingest_queue_bytes"), 0);
  EXPECT_EQ(bench.metric("sensus_ingest_queue_rows"), 0);
}

CORO_TEST(IngestorSamples, ABodyOverTheQueueLimitGoesAloneWhenNothingWaits) {
  Options options;
  options.queue_limit = ByteSize{1024};
  Bench bench(co_await boost::asio::this_coro::executor, options);
  model::SampleBatch large;
  for (int i = 0; i < 1000; ++i) {
    large.append("series", kNow, i);
  }
  const auto accepted = co_await bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(large));
  CO_ASSERT_OK(accepted);
  EXPECT_EQ(*accepted, 1000U);
}

}  // namespace
}  // namespace sensus::ingest
