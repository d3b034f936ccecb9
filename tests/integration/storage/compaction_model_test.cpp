#include "integration/storage/compaction_reads.hpp"

namespace sensus::test {
namespace {

runtime::Task follow(World& w) {
  for (int i = 0; i < 6; ++i) {
    const Result<> written = w.write_some(1500);
    CO_ASSERT_OK(written);
  }
  Result<> checked = co_await check_all(w, "before");
  CO_ASSERT_OK(checked);

  // Half of the buckets of a day, as a run that was cut leaves them; a late sample among them.
  (void)w.s.value(
      "select sum(sensus.compact_samples('2026-11-11', 1, b::smallint)) from generate_series(0, "
      "31) b");
  EXPECT_NE(w.s.value("select count(*) from sensus.sample_chunks"), "0");
  checked = co_await check_all(w, "half of a day");
  CO_ASSERT_OK(checked);
  Result<> written = w.write_some(500);
  CO_ASSERT_OK(written);
  checked = co_await check_all(w, "half of a day and late samples");
  CO_ASSERT_OK(checked);

  auto report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_FALSE(report->busy);
  EXPECT_EQ(report->days_emptied, 2) << "the third ended an hour ago and is not closed yet";
  EXPECT_GT(report->samples, 0);
  EXPECT_EQ(
      w.s.value(
          "select count(*) from sensus.sample_batches where t_min < '2026-11-12 00:00:00+00'"),
      "0");
  EXPECT_NE(w.s.value("select count(*) from sensus.sample_batches"), "0");
  EXPECT_EQ(w.s.value("select count(*) from sensus.sample_compactions"), "0");
  checked = co_await check_all(w, "two days of three");
  CO_ASSERT_OK(checked);

  written = w.write_some(800);
  CO_ASSERT_OK(written);
  checked = co_await check_all(w, "late samples of compacted days");
  CO_ASSERT_OK(checked);
  w.clock.advance(std::chrono::hours(24));
  report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_EQ(report->days_emptied, 3);
  EXPECT_EQ(w.s.value("select count(*) from sensus.sample_batches"), "0");
  EXPECT_EQ(w.s.value("select sum(cardinality(value)) from sensus.sample_chunks"),
            std::to_string(w.model.size()));
  checked = co_await check_all(w, "after");
  CO_ASSERT_OK(checked);

  report = co_await w.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_EQ(report->buckets, 0);
}

CORO_TEST(CompactionModel, EveryReadGivesTheSameAnswerBeforeDuringAndAfter) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  co_await follow(w);
}

CORO_TEST(CompactionModel, AlsoOfValuesThatAreNoNumbersInfiniteOrNearTheEndsOfTheType) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
  w.odd = true;
  co_await follow(w);
}

}  // namespace
}  // namespace sensus::test
