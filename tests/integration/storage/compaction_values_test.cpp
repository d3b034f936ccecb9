#include "integration/storage/store_fixture.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/storage/compaction.hpp"

#include <limits>
#include <random>

namespace sensus::test {
namespace {

const Timestamp kDay = at("2026-11-10T00:00:00Z");
constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Chosen samples of one day and a compactor that finds the day closed.
struct Chosen {
  explicit Chosen(runtime::Executor executor)
      : s(executor),
        clock(kDay + std::chrono::hours(72)),
        writer(storage::make_sample_writer(s.options, telemetry::Log(), s.metrics)),
        compactor({executor, s.options, clock, telemetry::Log(), s.metrics}, {}, {}) {
    (void)s.db.admin("select sensus.make_partitions('2026-11-09', '2026-11-12')");
  }

  Result<> write(const std::string& instance, const std::vector<std::pair<std::chrono::microseconds, double>>& samples) {
    storage::SampleFlush flush;
    flush.new_series.push_back(series_key("cpu", instance));
    for (const auto& [since, value] : samples) {
      flush.rows.push_back({-1, kDay + since, value});
    }
    const auto written = writer->write_blocking(soon(), flush);
    if (!written) {
      return written.error();
    }
    return {};
  }

  /// The rollups of a series, "slot:lowest/highest/total/samples/newest" each.
  [[nodiscard]] std::string rollups(const std::string& table, const std::string& instance) {
    return s.value("select coalesce(string_agg(concat_ws('/', u.slot || ':' || u.lowest, u.highest, u.total, u.samples, u.newest), ' ' "
                   "order by r.t_min, u.slot), '') from sensus." +
                   table +
                   " r join sensus.series s on s.id = r.series_id cross join lateral unnest(r.slot, r.lowest, r.highest, r.total, "
                   "r.samples, r.newest) u(slot, lowest, highest, total, samples, newest) where s.labels->>'instance' = '" +
                   instance + "'");
  }

  /// All that compaction made, as one number.
  [[nodiscard]] std::string digest() {
    return s.value("select md5(string_agg(x, '|' order by x)) from (select c::text as x from sensus.sample_chunks c union all "
                   "select r::text from sensus.rollups_5m r union all select r::text from sensus.rollups_1h r) y");
  }

  Store s;
  ManualClock clock;
  std::unique_ptr<storage::SampleWriter> writer;
  storage::Compactor compactor;
};

CORO_TEST(CompactionValues, NoValueStopsABucket) {
  auto executor = co_await boost::asio::this_coro::executor;
  Chosen c(executor);
  Result<> written = c.write("large", {{0s, 1e308}, {60s, 1e308}, {120s, 1e308}, {300s, 1e308}, {360s, -1e308}, {420s, 3},
                                       {600s, -1.7e308}, {660s, -1.7e308}, {900s, 1e200}, {960s, 1e200}});
  CO_ASSERT_OK(written);
  written = c.write("odd", {{0s, kInfinite}, {60s, 1}, {300s, kInfinite}, {360s, -kInfinite}, {600s, kNan}, {660s, 2}, {900s, kNan},
                            {1200s, 5e-324}, {1260s, 5e-324}, {1320s, -5e-324}, {1500s, -0.0}});
  CO_ASSERT_OK(written);
  written = c.write("nothing", {{0s, kNan}, {60s, kNan}});
  CO_ASSERT_OK(written);
  const auto report = co_await c.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_EQ(report->samples, 10 + 11 + 2);
  EXPECT_EQ(report->days_emptied, 1);
  EXPECT_EQ(c.rollups("rollups_5m", "large"),
            "0:1e+308/1e+308/Infinity/3/1e+308 1:-1e+308/1e+308/3/3/3 2:-1.7e+308/-1.7e+308/-Infinity/2/-1.7e+308 "
            "3:1e+200/1e+200/2e+200/2/1e+200");
  EXPECT_EQ(c.rollups("rollups_1h", "large"), "0:-1.7e+308/1e+308/NaN/10/1e+200") << "of infinite totals of both signs";
  EXPECT_EQ(c.rollups("rollups_5m", "odd"),
            "0:1/Infinity/Infinity/2/1 1:-Infinity/Infinity/NaN/2/-Infinity 2:2/2/2/1/2 4:-5e-324/5e-324/5e-324/3/-5e-324 5:-0/-0/-0/1/-0")
      << "NaN is no value";
  EXPECT_EQ(c.rollups("rollups_5m", "nothing"), "");
  EXPECT_EQ(c.s.value("select count(*) from sensus.metrics"), "23") << "and is stored";
}

CORO_TEST(CompactionValues, OfEqualTimesTheLastWriteWinsInRollupsToo) {
  auto executor = co_await boost::asio::this_coro::executor;
  Chosen c(executor);
  Result<> written = c.write("a", {{0s, 1}, {60s, 2}, {120s, 3}});
  CO_ASSERT_OK(written);
  written = c.write("a", {{60s, 20}, {30s, 10}});
  CO_ASSERT_OK(written);
  auto report = co_await c.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_EQ(c.rollups("rollups_5m", "a"), "0:1/20/34/4/3");
  written = c.write("a", {{120s, 30}, {7h, 4}, {0s, -1}});
  CO_ASSERT_OK(written);
  report = co_await c.compactor.run_once();
  CO_ASSERT_OK(report);
  EXPECT_EQ(c.rollups("rollups_5m", "a"), "0:-1/30/59/4/30 12:4/4/4/1/4");
  EXPECT_EQ(c.rollups("rollups_1h", "a"), "0:-1/30/59/4/30 1:4/4/4/1/4");
  EXPECT_EQ(c.s.value("select string_agg(metric_value::text, ' ' order by \"timestamp\") from sensus.metrics"), "-1 10 20 30 4");
}

CORO_TEST(CompactionValues, SortingMakesWhatHashingMakes) {
  auto executor = co_await boost::asio::this_coro::executor;
  Chosen c(executor);
  std::mt19937 random{5};
  for (int flush = 0; flush < 6; ++flush) {
    for (const char* instance : {"a", "b", "c"}) {
      std::vector<std::pair<std::chrono::microseconds, double>> samples;
      for (int i = 0; i < 200; ++i) {
        samples.emplace_back(std::chrono::seconds(random() % 90'000 % 86'400), static_cast<double>(random() % 1000));
      }
      const Result<> written = c.write(instance, samples);
      CO_ASSERT_OK(written);
    }
  }
  const auto compact = [&c](const std::string& sorting) {
    (void)c.s.db.admin("begin");
    // Makes the partitions; what it wrote goes again.
    (void)c.s.value("select sum(sensus.compact_samples('2026-11-10', 1, b::smallint)) from generate_series(0, 63) b");
    (void)c.s.db.admin("delete from sensus.sample_chunks; delete from sensus.rollups_5m; delete from sensus.rollups_1h");
    const std::string samples =
        c.s.value("select sum(w.samples) from generate_series(0, 63) b, generate_series(0, 3) k, "
                  "sensus.compact_span('2026-11-10', 1, b::smallint, '2026-11-10 00:00:00+00'::timestamptz + k * interval '6 hours', "
                  "'2026-11-10 00:00:00+00'::timestamptz + (k + 1) * interval '6 hours', " +
                  sorting + ") w");
    const std::string made = samples + " " + c.digest();
    (void)c.s.db.admin("rollback");
    return made;
  };
  const std::string hashed = compact("false");
  (void)c.s.value("select sum(sensus.compact_samples('2026-11-10', 1, b::smallint)) from generate_series(0, 63) b");
  EXPECT_EQ(hashed.substr(hashed.find(' ') + 1), c.digest()) << "a few samples go in one span of a day";
  EXPECT_EQ(hashed, compact("true"));
  EXPECT_EQ(hashed.substr(0, hashed.find(' ')), c.s.value("select count(*) from sensus.metrics"));
}

}  // namespace
}  // namespace sensus::test
