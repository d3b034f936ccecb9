#include "integration/storage/store_fixture.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/storage/compaction.hpp"

namespace sensus::test {
namespace {

constexpr std::chrono::hours kDay{24};
/// The administrator's session is not in UTC.
const std::string kToday = "(now() at time zone 'UTC')::date";

/// One series with a sample an hour after midnight, some days ago.
struct Kept {
  Kept(runtime::Executor executor, storage::RetentionOptions retention)
      : s(executor),
        today(std::chrono::floor<std::chrono::days>(clock.now())),
        compactor({executor, s.options, clock, telemetry::Log(), s.metrics}, {}, retention),
        writer(storage::make_sample_writer(s.options, telemetry::Log(), s.metrics)),
        store(storage::make_sample_store(s.database)) {
    (void)s.db.admin("select sensus.make_partitions(" + kToday + " - 42, " + kToday + " + 1)");
  }

  [[nodiscard]] Timestamp days_ago(int days) const {
    return today - days * kDay + std::chrono::hours(1);
  }

  Result<> write(Timestamp time, double value) {
    storage::SampleFlush flush;
    flush.new_series.push_back(series_key("cpu", "a"));
    flush.rows.push_back({-1, time, value});
    const auto written = writer->write_blocking(soon(), flush);
    if (!written) {
      return written.error();
    }
    return {};
  }

  Store s;
  SystemClock clock;
  Timestamp today;
  storage::Compactor compactor;
  std::unique_ptr<storage::SampleWriter> writer;
  std::unique_ptr<storage::SampleStore> store;
};

storage::RetentionOptions keep(std::chrono::hours raw, std::chrono::hours rollup_5m,
                               std::chrono::hours rollup_1h) {
  return {raw, rollup_5m, rollup_1h};
}

CORO_TEST(Retention, DropsEachResolutionWhenItIsOldEnough) {
  auto executor = co_await boost::asio::this_coro::executor;
  const auto retention = keep(30 * kDay, 2 * kDay, 730 * kDay);
  Kept k(executor, retention);
  Result<> written = k.write(k.days_ago(39), 39);
  CO_ASSERT_OK(written);
  written = k.write(k.days_ago(20), 20);
  CO_ASSERT_OK(written);
  const auto compacted = co_await k.compactor.run_once();
  CO_ASSERT_OK(compacted);
  EXPECT_EQ(compacted->days_emptied, 2);
  // A late sample of a day that goes.
  written = k.write(k.days_ago(39) + 60s, 39.5);
  CO_ASSERT_OK(written);

  auto retained = co_await k.compactor.apply_retention();
  CO_ASSERT_OK(retained);
  EXPECT_GE(retained->partitions_dropped, 12 + 1 + 1) << "batch rows, chunks, rollups of 5 m";
  EXPECT_EQ(k.s.value("select string_agg(metric_value::text, ' ') from sensus.metrics"), "20");
  EXPECT_EQ(k.s.value("select count(*) from sensus.sample_days"), "2") << "as long as any rollup";
  storage::RangeQuery query;
  query.metric_name = "cpu";
  query.from = k.days_ago(40);
  query.to = k.days_ago(0);
  query.step = std::chrono::hours(24);
  (void)k.s.db.admin("update sensus.series set last_seen = now()");
  const auto range = co_await k.store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(range);
  CO_ASSERT_EQ(range->size(), 1U);
  CO_ASSERT_EQ(range->front().points.size(), 2U);
  EXPECT_EQ(range->front().points[0].value, 39);
  EXPECT_EQ(range->front().points[1].value, 20);
  retained = co_await k.compactor.apply_retention();
  CO_ASSERT_OK(retained);
  EXPECT_EQ(retained->partitions_dropped, 0);
  // What ingest still takes has its partition.
  EXPECT_EQ(k.s.value("select count(*) from generate_series(" + kToday + " - 29, " + kToday +
                      ", "
                      "interval '1 day') d where to_regclass('sensus.sample_batches_' || "
                      "to_char(d, 'YYYYMMDD')) is null"),
            "0");
}

CORO_TEST(Retention, DrainsTheDefaultPartition) {
  auto executor = co_await boost::asio::this_coro::executor;
  const auto retention = keep(50 * kDay, 180 * kDay, 730 * kDay);
  Kept k(executor, retention);
  Result<> written = k.write(k.days_ago(60), 60);
  CO_ASSERT_OK(written);
  written = k.write(k.days_ago(45), 45);
  CO_ASSERT_OK(written);
  EXPECT_EQ(k.s.value("select count(*) from sensus.sample_batches_default"), "2");
  const auto retained = co_await k.compactor.apply_retention();
  CO_ASSERT_OK(retained);
  EXPECT_EQ(retained->partitions_dropped, 0);
  EXPECT_EQ(retained->stray_rows_deleted, 1);
  EXPECT_EQ(k.s.value("select count(*) from sensus.sample_batches_default"), "0");
  EXPECT_EQ(k.s.value("select string_agg(metric_value::text, ' ') from sensus.metrics"), "45");
}

CORO_TEST(Retention, TheFutureIsNotDropped) {
  auto executor = co_await boost::asio::this_coro::executor;
  const auto retention = keep(-10 * kDay, 180 * kDay, 730 * kDay);
  Kept k(executor, retention);
  const auto refused = co_await k.compactor.apply_retention();
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_input);
  EXPECT_NE(k.s.value("select to_regclass('sensus.sample_batches_' || to_char(" + kToday +
                      ", "
                      "'YYYYMMDD'))"),
            "NULL");
}

}  // namespace
}  // namespace sensus::test
