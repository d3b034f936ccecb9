#include "integration/storage/store_fixture.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/compaction.hpp"

#include <future>
#include <memory>

namespace sensus::test {
namespace {

const std::string kLongAgo = "update sensus.series set last_seen = now() - interval '10 days'";
const std::string kNames = "select coalesce(string_agg(labels->>'instance', ' ' order by id), '') from sensus.series";
const std::string kOrphans =
    "select count(*) from (select distinct b.tenant_id, u.s from sensus.sample_batches b cross join lateral unnest(b.series_id) u(s)) x "
    "left join sensus.series s on s.tenant_id = x.tenant_id and s.id = x.s where s.id is null";

struct Site {
  explicit Site(runtime::Executor executor)
      : s(executor),
        compactor({executor, s.options, clock, telemetry::Log(), s.metrics}, {}, {}),
        writer(storage::make_sample_writer(s.options, telemetry::Log(), s.metrics)) {
    (void)s.db.admin("select sensus.make_partitions((now() at time zone 'UTC')::date - 42, (now() at time zone 'UTC')::date + 1)");
  }

  Result<> write(const std::string& instance, Timestamp time) {
    storage::SampleFlush flush;
    flush.new_series.push_back(series_key("cpu", instance));
    flush.rows.push_back({-1, time, 1});
    const auto written = writer->write_blocking(soon(), flush);
    if (!written) {
      return written.error();
    }
    return {};
  }

  Store s;
  SystemClock clock;
  storage::Compactor compactor;
  std::unique_ptr<storage::SampleWriter> writer;
};

CORO_TEST(SeriesRemoval, TakesSeriesOfWhichNothingIsKept) {
  auto executor = co_await boost::asio::this_coro::executor;
  Site site(executor);
  for (const char* instance : {"nothing", "chunk", "5m", "1h", "seen"}) {
    const Result<> written = site.write(instance, site.clock.now() - std::chrono::hours(20 * 24));
    CO_ASSERT_OK(written);
  }
  const auto compacted = co_await site.compactor.run_once();
  CO_ASSERT_OK(compacted);
  CO_ASSERT_EQ(compacted->days_emptied, 1);
  const std::string of = " x using sensus.series s where s.id = x.series_id and s.labels->>'instance' not in (";
  (void)site.s.db.admin("delete from sensus.sample_chunks" + of + "'chunk')");
  (void)site.s.db.admin("delete from sensus.rollups_5m" + of + "'5m')");
  (void)site.s.db.admin("delete from sensus.rollups_1h" + of + "'1h')");
  (void)site.s.db.admin(kLongAgo + " where labels->>'instance' <> 'seen'");
  auto removed = co_await site.compactor.remove_idle_series();
  CO_ASSERT_OK(removed);
  EXPECT_EQ(*removed, 1);
  EXPECT_EQ(site.s.value(kNames), "chunk 5m 1h seen");
  EXPECT_EQ(site.s.value("select count(*) from sensus.removed_series"), "0") << "nothing speaks of it";

  // Whoever comes back is a new series.
  const Result<> written = site.write("nothing", site.clock.now());
  CO_ASSERT_OK(written);
  EXPECT_EQ(site.s.value(kNames), "chunk 5m 1h seen nothing");
  removed = co_await site.compactor.remove_idle_series();
  CO_ASSERT_OK(removed);
  EXPECT_EQ(*removed, 0);
}

CORO_TEST(SeriesRemoval, BatchRowsKeepTheSeriesThatTheyMayHold) {
  auto executor = co_await boost::asio::this_coro::executor;
  Site site(executor);
  Result<> written = site.write("late", site.clock.now() - std::chrono::hours(20 * 24));
  CO_ASSERT_OK(written);
  (void)site.s.db.admin(kLongAgo);
  auto removed = co_await site.compactor.remove_idle_series();
  CO_ASSERT_OK(removed);
  EXPECT_EQ(*removed, 0) << "a batch row of 20 days ago may hold what was seen 10 days ago";
  (void)site.s.db.admin("truncate sensus.sample_batches");
  written = site.write("now", site.clock.now());
  CO_ASSERT_OK(written);
  removed = co_await site.compactor.remove_idle_series();
  CO_ASSERT_OK(removed);
  EXPECT_EQ(*removed, 1);
  EXPECT_EQ(site.s.value(kNames), "now") << "a batch row of today cannot";
}

CORO_TEST(SeriesRemoval, AnomaliesStayReadable) {
  auto executor = co_await boost::asio::this_coro::executor;
  Site site(executor);
  const Result<> written = site.write("gone", site.clock.now());
  CO_ASSERT_OK(written);
  auto analyses = storage::make_analysis_store(site.s.database);
  model::Anomaly anomaly;
  anomaly.series_id = static_cast<SeriesId>(std::stoi(site.s.value("select id from sensus.series")));
  anomaly.time = site.clock.now();
  anomaly.score = 0.9;
  std::vector<model::Anomaly> anomalies{anomaly};
  const auto stored = co_await analyses->store_anomalies(soon(), kDefaultTenant, std::move(anomalies), {});
  CO_ASSERT_OK(stored);
  (void)site.s.db.admin("truncate sensus.sample_batches");
  (void)site.s.db.admin(kLongAgo);
  const auto removed = co_await site.compactor.remove_idle_series();
  CO_ASSERT_OK(removed);
  EXPECT_EQ(*removed, 1);
  EXPECT_EQ(site.s.value(kNames), "");
  storage::AnomalyFilter filter;
  filter.metric_name = "cpu";
  filter.limit = 10;
  const auto page = co_await analyses->anomalies(soon(), kDefaultTenant, filter);
  CO_ASSERT_OK(page);
  CO_ASSERT_EQ(page->items.size(), 1U);
  EXPECT_EQ(page->items.front().metric_name, "cpu");
  EXPECT_EQ(page->items.front().labels.get("instance"), "gone");
  EXPECT_EQ(site.s.value("select metric_name || (labels->>'instance') from sensus.analyses"), "cpugone");
}

/// A writer that comes back to an idle series and holds its row while a removal waits for it.
Result<int> revive_and_wait(pg::Tx& tx, const std::shared_ptr<std::future<std::string>>& removal, const std::function<std::string()>& remove) {
  (void)tx.exec("update sensus.series set last_seen = now() where tenant_id = 1");
  *removal = std::async(std::launch::async, remove);
  const Deadline deadline = soon();
  while (tx.exec("select count(*) from pg_locks where not granted and locktype in ('transactionid', 'tuple')").integer(0, 0) == 0) {
    if (deadline.expired()) {
      return make_error(Errc::timeout, "the removal does not wait for the row");
    }
  }
  (void)tx.exec("insert into sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) select 1, id % 64, now(), now(), "
                "array[id], array[now()], array[1.0] from sensus.series");
  return 1;
}

CORO_TEST(SeriesRemoval, WaitsForAWriterAndLooksAgain) {
  auto executor = co_await boost::asio::this_coro::executor;
  Site site(executor);
  const Result<> written = site.write("a", site.clock.now());
  CO_ASSERT_OK(written);
  (void)site.s.db.admin("truncate sensus.sample_batches");
  (void)site.s.db.admin(kLongAgo);
  const auto removal = std::make_shared<std::future<std::string>>();
  const std::function<std::string()> remove = [&site] { return site.s.value("select removed from sensus.remove_idle_series(0, 0, 100)"); };
  std::function<Result<int>(pg::Tx&)> job = [removal, remove](pg::Tx& tx) { return revive_and_wait(tx, removal, remove); };
  const auto revived = co_await site.s.database.transact<int>(soon(), pg::Access::read_write, std::move(job));
  CO_ASSERT_OK(revived);
  EXPECT_EQ(removal->get(), "0");
  EXPECT_EQ(site.s.value(kNames), "a");
  EXPECT_EQ(site.s.value(kOrphans), "0");
}

CORO_TEST(SeriesRemoval, NoInterleavingOrphansSamples) {
  auto executor = co_await boost::asio::this_coro::executor;
  Site site(executor);
  constexpr int kSeries = 200;
  storage::SampleFlush flush;
  for (int i = 0; i < kSeries; ++i) {
    flush.new_series.push_back(series_key("cpu", std::to_string(i)));
    flush.rows.push_back({-(i + 1), site.clock.now(), 1});
  }
  int removed = 0;
  for (int round = 0; round < 12; ++round) {
    auto written = site.writer->write_blocking(soon(), flush);
    CO_ASSERT_OK(written);
    (void)site.s.db.admin("truncate sensus.sample_batches");
    (void)site.s.db.admin(kLongAgo);
    // Some go for sure; for the others it is the scheduler's choice.
    removed += std::stoi(site.s.value("select removed from sensus.remove_idle_series(0, 0, 20)"));
    std::future<bool> writing =
        std::async(std::launch::async, [&site, &flush] { return site.writer->write_blocking(soon(), flush).has_value(); });
    for (int part = 0; part < 4; ++part) {
      const std::string after = site.s.value("select coalesce(min(id), 1) - 1 + 50 * " + std::to_string(part) + " from sensus.series");
      removed += std::stoi(site.s.value("select removed from sensus.remove_idle_series(1, " + after + ", 50)"));
    }
    EXPECT_TRUE(writing.get());
    EXPECT_EQ(site.s.value(kOrphans), "0");
    EXPECT_EQ(site.s.value("select count(*) from sensus.series"), std::to_string(kSeries));
  }
  EXPECT_GE(removed, 12 * 20);
}

}  // namespace
}  // namespace sensus::test
