#include "fakes.hpp"

namespace sensus::ingest {
namespace {

using telemetry::HealthState;

CORO_TEST(IngestorFailure, EveryoneInABrokenFlushHearsOfIt) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.database->hold();
  bench.send(one_sample("first"));
  CO_UNTIL(bench.attempted());
  for (int i = 0; i < 20; ++i) {
    bench.send(one_sample("second"));
  }
  co_await boost::asio::post(bench.executor, boost::asio::use_awaitable);
  bench.database->fail_next(Errc::in_doubt, 2);
  bench.database->release();
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.count(Errc::in_doubt), 21U);
  EXPECT_EQ(bench.ingestor->health().state, HealthState::failed);
  EXPECT_EQ(bench.metric("sensus_ingest_flush_failures_total{code=\"in_doubt\"}"), 2);
  bench.send(one_sample("third"));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.accepted(), 1U);
  EXPECT_EQ(bench.ingestor->health().state, HealthState::ok);
}

CORO_TEST(IngestorFailure, TheWriterPausesWhileTheDatabaseIsAway) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.database->fail_next(Errc::unavailable, 1'000'000);
  const Deadline end = Deadline::after(300ms);
  while (!end.expired()) {
    bench.send(one_sample("a"));
    CO_UNTIL(bench.all_answered());
  }
  EXPECT_GE(bench.database->attempts(), 2);
  EXPECT_LE(bench.database->attempts(), 8) << "a sender that repeats at once must not make the writer spin";
  EXPECT_EQ(bench.count(Errc::unavailable), bench.results.size());
}

CORO_TEST(IngestorFailure, HealthRecoversWithoutTraffic) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.start();
  CO_UNTIL(bench.samples.reads > 0);
  bench.samples.failures = 1'000'000;
  bench.database->fail_next(Errc::unavailable);
  bench.send(one_sample("a"));
  CO_UNTIL(bench.all_answered());
  const int reads = bench.samples.reads;
  CO_UNTIL(bench.samples.reads > reads);
  EXPECT_EQ(bench.ingestor->health().state, HealthState::failed) << "the probe failed";
  bench.samples.failures = 0;
  CO_UNTIL(bench.ingestor->health().state == HealthState::ok);
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorFailure, ADeadlineEndsTheWaitAndTheRowsAreStillWritten) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.database->hold();
  bench.send(one_sample("slow"), Deadline::after(30ms));
  bench.send(one_sample("queued"), Deadline::after(20ms));
  bench.send(one_sample("patient"));
  CO_UNTIL(bench.results.size() == 2);
  EXPECT_EQ(bench.count(Errc::timeout), 2U);
  bench.database->release();
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.accepted(), 1U);
  EXPECT_EQ(bench.database->rows(), 3U);
  EXPECT_EQ(bench.metric("sensus_ingest_refused_requests_total{kind=\"metrics\",reason=\"timeout\"}"), 2);
}

CORO_TEST(IngestorFailure, TheCommitTimeoutBoundsAnEndlessDeadline) {
  Options options;
  options.commit_timeout = 20ms;
  Bench bench(co_await boost::asio::this_coro::executor, options);
  bench.database->hold();
  bench.send(one_sample("a"), Deadline::never());
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.count(Errc::timeout), 1U);
  bench.database->release();
}

CORO_TEST(IngestorFailure, StopCommitsWhatWaitsAndRefusesWhatComes) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.start();
  for (int i = 0; i < 50; ++i) {
    bench.send(one_sample("a", i));
  }
  CO_UNTIL(bench.attempted());
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.accepted(), 50U);
  EXPECT_EQ(bench.database->rows(), 50U);
  auto late_batch = one_sample("late");
  const auto late = co_await bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(late_batch));
  CO_ASSERT_TRUE(!late);
  EXPECT_EQ(late.error().code, Errc::cancelled);
  auto late_alert_batch = model::AlertBatch{};
  const auto late_alert = co_await bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(late_alert_batch));
  CO_ASSERT_TRUE(!late_alert);
  EXPECT_EQ(late_alert.error().code, Errc::cancelled);
}

CORO_TEST(IngestorFailure, StopDoesNotWaitForADatabaseThatHangs) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.database->hold();
  bench.send(one_sample("running"));
  CO_UNTIL(bench.attempted());
  bench.send(one_sample("queued"));
  const auto begin = std::chrono::steady_clock::now();
  const auto stopped = co_await bench.ingestor->stop(Deadline::after(30ms));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1500ms);
  CO_ASSERT_TRUE(!stopped);
  EXPECT_EQ(stopped.error().code, Errc::timeout);
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.count(Errc::cancelled), 2U);
}

CORO_TEST(IngestorFailure, AnIngestorMayGoWhileRequestsWait) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.database->hold();
  bench.send(one_sample("running"));
  CO_UNTIL(bench.attempted());
  bench.send(one_sample("queued"));
  co_await boost::asio::post(bench.executor, boost::asio::use_awaitable);
  bench.ingestor.reset();
  EXPECT_EQ(bench.database->rows(), 0U);
  EXPECT_TRUE(bench.results.empty());
  // The coroutines that waited end in turns of their own.
  for (int i = 0; i < 10; ++i) {
    co_await boost::asio::post(bench.executor, boost::asio::use_awaitable);
  }
}

}  // namespace
}  // namespace sensus::ingest
