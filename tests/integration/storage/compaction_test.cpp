#include "integration/storage/compaction_reads.hpp"

#include <limits>

namespace sensus::test {
namespace {

CORO_TEST(Compaction, BatchRowsStayForAReaderThatBeganBeforeTheChunks) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  const Result<> written = w.write_some(2000);
  CO_ASSERT_OK(written);
  (void)w.s.db.admin("begin isolation level repeatable read");
  const std::string before = w.s.value("select count(*) from sensus.metrics");
  auto report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_GT(report->buckets, 0);
  EXPECT_EQ(report->days_emptied, 0);
  EXPECT_EQ(w.s.value("select count(*) from sensus.metrics"), before);
  (void)w.s.db.admin("commit");
  EXPECT_EQ(w.s.value("select count(*) from sensus.metrics"), before);
  report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_EQ(report->buckets, 0) << "nothing is done twice";
  EXPECT_EQ(report->days_emptied, 2);
  EXPECT_EQ(w.s.value("select count(*) from sensus.metrics"), before);
}

CORO_TEST(Compaction, SamplesThatComeBetweenTheLastStepAndTheEndAreNotLost) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  Result<> written = w.write_some(2000);
  CO_ASSERT_OK(written);
  (void)w.s.value(
      "select sum(sensus.compact_samples('2026-11-10', 1, b::smallint)) from generate_series(0, "
      "63) b");
  written = w.write_some(500);
  CO_ASSERT_OK(written);
  EXPECT_EQ(w.s.value("select sensus.finish_compaction('2026-11-10')"), "changed");
  const auto report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_EQ(report->days_emptied, 2);
  const Result<> checked = co_await check_all(w, "after");
  CO_ASSERT_OK(checked);
}

CORO_TEST(Compaction, OneReplicaAtATime) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  const Result<> written = w.write_some(100);
  CO_ASSERT_OK(written);
  (void)w.s.db.admin("begin");
  (void)w.s.db.admin("select pg_advisory_xact_lock(6072340122)");
  auto report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_TRUE(report->busy);
  EXPECT_EQ(report->buckets, 0);
  (void)w.s.db.admin("commit");
  report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_FALSE(report->busy);
  EXPECT_EQ(report->days_emptied, 2);
}

CORO_TEST(Compaction, OddTimesAndValuesComeBackToTheBit) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  storage::SampleFlush flush;
  flush.new_series = w.keys;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  flush.rows = {{-1, kFirstDay, -0.0},
                {-1, kFirstDay + std::chrono::microseconds(1), nan},
                {-1, kFirstDay + std::chrono::hours(24) - std::chrono::microseconds(1), infinite},
                {-2, kFirstDay + std::chrono::hours(3), 1e-308},
                {-3, kFirstDay + std::chrono::hours(6) - std::chrono::microseconds(1), -infinite},
                {-3, kFirstDay + std::chrono::hours(6), 0.1}};
  const auto written = w.writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(written);
  const std::string query =
      "select string_agg(series_id || '@' || (extract(epoch from \"timestamp\") * 1e6)::bigint || "
      "'=' || encode(float8send(metric_value), 'hex'), "
      "' ' order by series_id, \"timestamp\") from sensus.metrics";
  const std::string before = w.s.value(query);
  const auto report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_EQ(report->samples, 6);
  EXPECT_EQ(w.s.value("select count(*) from sensus.sample_batches"), "0");
  EXPECT_EQ(w.s.value(query), before);
}

CORO_TEST(Compaction, LongStepsAreReadFromRollupsAlone) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  Result<> written = w.write_some(4000);
  CO_ASSERT_OK(written);
  w.clock.advance(std::chrono::hours(24));
  auto report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  (void)w.s.db.admin("update sensus.sample_chunks set value = array(select 0 from unnest(value))");
  storage::RangeQuery query;
  query.metric_name = "cpu";
  query.from = kFirstDay;
  query.to = kFirstDay + std::chrono::hours(72);
  query.step = std::chrono::minutes(15);
  query.series_max = 1000;
  query.aggregation = Aggregation::max;
  auto points = co_await read_range(w, query);
  CO_ASSERT_OK(points);
  expect_near(*points, expected_points(w, query), "5 m");
  query.step = std::chrono::hours(2);
  points = co_await read_range(w, query);
  CO_ASSERT_OK(points);
  expect_near(*points, expected_points(w, query), "1 h");
  query.from += std::chrono::minutes(1);
  points = co_await read_range(w, query);
  CO_ASSERT_OK(points);
  for (const auto& [key, value] : *points) {
    EXPECT_EQ(value, 0) << "steps that begin amid a slot are made of samples";
  }
}

CORO_TEST(Compaction, DaysWithoutRollupsAreReadFromTheirChunks) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  const Result<> written = w.write_some(2000);
  CO_ASSERT_OK(written);
  const auto report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  (void)w.s.db.admin("delete from sensus.rollups_5m; delete from sensus.rollups_1h");
  (void)w.s.db.admin("update sensus.sample_days set rolled_up = false");
  const Result<> checked = co_await check_all(w, "chunks alone");
  CO_ASSERT_OK(checked);
}

CORO_TEST(Compaction, TheDaemonsRoleCannotReachAroundIt) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  std::function<Result<int>(pg::Tx&)> job = [](pg::Tx& tx) -> Result<int> {
    (void)tx.exec("delete from sensus.sample_chunks");
    return 0;
  };
  const auto denied =
      co_await w.s.database.transact<int>(soon(), pg::Access::read_write, std::move(job));
  EXPECT_FALSE(denied.has_value());
}

}  // namespace
}  // namespace sensus::test
