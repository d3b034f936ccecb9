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

  Result<> write(Timestamp time, double value, TenantId tenant = kDefaultTenant) {
    storage::SampleFlush flush;
    flush.tenant = tenant;
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
  const auto retention = keep(30 * kDay, 180 * kDay, 730 * kDay);
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
  EXPECT_GE(retained->partitions_dropped, 12 + 1) << "batch rows, chunks";
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

CORO_TEST(Retention, RollupsGoByMonthsAndNeverBeforeTheirSamples) {
  auto executor = co_await boost::asio::this_coro::executor;
  const auto long_raw = keep(60 * kDay, kDay, kDay);
  Kept k(executor, long_raw);
  const Result<> written = k.write(k.days_ago(39), 39);
  CO_ASSERT_OK(written);
  const auto compacted = co_await k.compactor.run_once();
  CO_ASSERT_OK(compacted);
  auto retained = co_await k.compactor.apply_retention();
  CO_ASSERT_OK(retained);
  EXPECT_EQ(retained->partitions_dropped, 0) << "reads would find neither rollups nor go to the samples";

  const auto short_raw = keep(kDay, 2 * kDay, 730 * kDay);
  storage::Compactor other({executor, k.s.options, k.clock, telemetry::Log(), k.s.metrics}, {}, short_raw);
  retained = co_await other.apply_retention();
  CO_ASSERT_OK(retained);
  EXPECT_EQ(k.s.value("select count(*) from sensus.sample_chunks"), "0");
  EXPECT_EQ(k.s.value("select count(*) from sensus.rollups_5m"), "0");
  EXPECT_EQ(k.s.value("select count(*) from sensus.rollups_1h"), "1");
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

CORO_TEST(Retention, TenantsKeepForTimesOfTheirOwn) {
  auto executor = co_await boost::asio::this_coro::executor;
  auto retention = keep(30 * kDay, 180 * kDay, 730 * kDay);
  retention.tenants = {"2 raw=5d rollup_5m=2d", "3 raw=60d"};
  Kept k(executor, retention);
  for (const TenantId tenant : {1, 2, 3}) {
    for (const int day : {39, 20, 2}) {
      const Result<> written = k.write(k.days_ago(day), day + tenant * 100, tenant);
      CO_ASSERT_OK(written);
    }
  }
  const auto compacted = co_await k.compactor.run_once();
  CO_ASSERT_OK(compacted);
  EXPECT_EQ(compacted->days_emptied, 3);
  Result<> written = k.write(k.days_ago(39) + 60s, 1, 2);  // Late, of a day that is over for its tenant and not for another.
  CO_ASSERT_OK(written);
  // Whole months: how many that is depends on the day of this test.
  const std::string ended = "select count(*) from sensus.rollups_5m where tenant_id = 2 and date_trunc('month', t_min at time zone 'UTC') + "
                            "interval '1 month' <= now() at time zone 'UTC' - interval '5 days'";
  const std::int64_t rollups = std::stoll(k.s.value(ended));
  EXPECT_GE(rollups, 1);
  const auto retained = co_await k.compactor.apply_retention();
  CO_ASSERT_OK(retained);
  EXPECT_EQ(retained->partitions_dropped, 0) << "the longest is not over";
  EXPECT_EQ(retained->tenant_rows_deleted, 1 + 3 + rollups) << "late sample, chunks, rollups of 5 m";
  EXPECT_EQ(k.s.value(ended), "0");
  const std::string kept = "select string_agg(metric_value::text, ' ' order by tenant_id, \"timestamp\") from sensus.metrics";
  EXPECT_EQ(k.s.value(kept), "120 102 202 339 320 302");
  EXPECT_EQ(k.s.value("select count(*) from sensus.rollups_1h where tenant_id = 2"), "3");

  // What comes late for a day whose chunks are gone goes, and leaves the rollups of that day alone; others' land.
  written = k.write(k.days_ago(20) + 60s, 7, 2);
  CO_ASSERT_OK(written);
  written = k.write(k.days_ago(20) + 60s, 8, 3);
  CO_ASSERT_OK(written);
  const auto again = co_await k.compactor.run_once();
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->days_emptied, 1);
  EXPECT_EQ(k.s.value(kept), "120 102 202 339 320 8 302");
  EXPECT_EQ(k.s.value("select string_agg(samples::text || total::text, ' ' order by tenant_id, t_min) from sensus.rollups_1h "
                      "where tenant_id > 1"),
            "{1}{239} {1}{220} {1}{202} {1}{339} {2}{328} {1}{302}");
  const auto idle = co_await k.compactor.apply_retention();
  CO_ASSERT_OK(idle);
  EXPECT_EQ(idle->tenant_rows_deleted, 0);
}

CORO_TEST(Retention, QuarantineAndDeadLettersGoToo) {
  auto executor = co_await boost::asio::this_coro::executor;
  auto retention = keep(30 * kDay, 180 * kDay, 730 * kDay);
  retention.quarantine = 10 * kDay;
  retention.dead_letters = 20 * kDay;
  Kept k(executor, retention);
  (void)k.s.db.admin(
      "insert into sensus.quarantine (tenant_id, source, original, reason, code, received_at, last_received_at) select 1, 'alerts', "
      "d::text::bytea, '', '', now() - interval '99 days', now() - d * interval '1 day' from unnest(array[1, 9, 11, 50]) d");
  (void)k.s.db.admin(
      "insert into sensus.dead_letters (tenant_id, event_id, consumer_group, topic, type, payload, deliveries, reason, event_created_at, "
      "created_at) select 1, d, 'g', 't', 't', '', 1, '', now(), now() - d * interval '1 day' from unnest(array[11, 19, 21]) d");
  const auto retained = co_await k.compactor.apply_retention();
  CO_ASSERT_OK(retained);
  EXPECT_EQ(retained->quarantine_deleted, 2);
  EXPECT_EQ(retained->dead_letters_deleted, 1);
  EXPECT_EQ(k.s.value("select string_agg(convert_from(original, 'UTF8'), ' ' order by id) from sensus.quarantine"), "1 9");
  EXPECT_EQ(k.s.value("select string_agg(event_id::text, ' ' order by event_id) from sensus.dead_letters"), "11 19");
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
