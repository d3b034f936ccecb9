#include "integration/storage/store_fixture.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/storage/compaction.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <random>

namespace sensus::test {
namespace {

using runtime::Async;
using storage::Aggregation;

constexpr int kSeries = 70;  // More than there are buckets.
const Timestamp kFirstDay = at("2026-11-10T00:00:00Z");

/// Random samples, written and remembered: the answers of every read are known.
class World {
 public:
  explicit World(runtime::Executor executor)
      : s(executor),
        clock(kFirstDay + std::chrono::hours(72)),
        writer(storage::make_sample_writer(s.options, telemetry::Log(), s.metrics)),
        store(storage::make_sample_store(s.database)),
        compactor({executor, s.options, clock, telemetry::Log(), s.metrics}, {}, {}) {
    (void)s.db.admin("select sensus.make_partitions('2026-11-09', '2026-11-14')");
    for (int i = 0; i < kSeries; ++i) {
      keys.push_back(series_key("cpu", std::to_string(i)));
    }
  }

  /// Over three days, on a grid, so that many meet a time that has a sample; some stand off the
  /// grid.
  Result<> write_some(int samples) {
    storage::SampleFlush flush;
    flush.new_series = keys;
    for (int i = 0; i < samples; ++i) {
      const int series = static_cast<int>(random() % kSeries);
      Timestamp time = kFirstDay + std::chrono::seconds(random() % 800) * 300;
      if (random() % 8 == 0) {
        time += std::chrono::microseconds(random() % 1'000'000);
      }
      const double value = static_cast<double>(random() % 1000) / 8;
      flush.rows.push_back({-(series + 1), time, value});
      model[{series, time}] = value;
    }
    const auto written = writer->write_blocking(soon(), flush);
    if (!written) {
      return written.error();
    }
    ids = written->new_series;
    return {};
  }

  [[nodiscard]] int series_of(SeriesId id) const {
    return static_cast<int>(std::ranges::find(ids, id) - ids.begin());
  }

  Store s;
  ManualClock clock;
  std::unique_ptr<storage::SampleWriter> writer;
  std::unique_ptr<storage::SampleStore> store;
  storage::Compactor compactor;
  std::mt19937 random{11};
  std::vector<std::string> keys;
  std::vector<SeriesId> ids;
  std::map<std::pair<int, Timestamp>, double> model;
  std::size_t rounds = 0;  ///< Of check_ranges: each takes another sixth of all combinations.
};

using Samples = std::vector<std::pair<Timestamp, double>>;

double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const double next = low + 1 < values.size() ? values[low + 1] : values[low];
  return values[low] + (next - values[low]) * (rank - static_cast<double>(low));
}

/// Prometheus' rate() from its description: two samples at least, resets, and ends that lie near are reached.
std::optional<double> rate(const Samples& samples, Timestamp begin, std::chrono::milliseconds step) {
  if (samples.size() < 2) {
    return std::nullopt;
  }
  const auto seconds = [](auto span) { return std::chrono::duration<double>(span).count(); };
  double increase = samples.back().second - samples.front().second;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    increase += samples[i].second < samples[i - 1].second ? samples[i - 1].second : 0;
  }
  const double covered = seconds(samples.back().first - samples.front().first);
  const double gap = covered / static_cast<double>(samples.size() - 1);
  double before = seconds(samples.front().first - begin);
  const double after = seconds(begin + step - samples.back().first);
  if (increase > 0) {
    // On a grid of times the comparisons below meet ties, so the order of operations is the reader's.
    before = std::min(before, covered * (samples.front().second / increase));
  }
  const double whole = covered + (before < gap * 1.1 ? before : gap / 2) + (after < gap * 1.1 ? after : gap / 2);
  return increase * whole / covered / seconds(step);
}

std::optional<double> aggregate(const Samples& samples, Timestamp begin, const storage::RangeQuery& query) {
  std::vector<double> values;
  double sum = 0;
  for (const auto& [time, value] : samples) {
    values.push_back(value);
    sum += value;
  }
  switch (query.aggregation) {
    case Aggregation::min: return *std::ranges::min_element(values);
    case Aggregation::max: return *std::ranges::max_element(values);
    case Aggregation::last: return values.back();
    case Aggregation::sum: return sum;
    case Aggregation::count: return static_cast<double>(values.size());
    case Aggregation::rate: return rate(samples, begin, query.step);
    case Aggregation::p50: return quantile(values, 0.5);
    case Aggregation::p95: return quantile(values, 0.95);
    case Aggregation::p99: return quantile(values, 0.99);
    case Aggregation::avg: break;
  }
  return sum / static_cast<double>(values.size());
}

using Points = std::map<std::pair<int, Timestamp>, double>;

Points expected_points(const World& w, const storage::RangeQuery& query) {
  std::map<std::pair<int, Timestamp>, Samples> steps;
  for (const auto& [key, value] : w.model) {
    if (key.second >= query.from && key.second < query.to) {
      steps[{key.first, key.second - (key.second - query.from) % query.step}].emplace_back(key.second, value);
    }
  }
  Points points;
  for (const auto& [key, samples] : steps) {
    if (const auto value = aggregate(samples, key.second, query)) {
      points[key] = *value;
    }
  }
  return points;
}

void expect_near(const Points& found, const Points& expected, const std::string& when) {
  EXPECT_EQ(found.size(), expected.size()) << when;
  for (const auto& [key, value] : expected) {
    const auto it = found.find(key);
    if (it == found.end()) {
      ADD_FAILURE() << when << ": no point of series " << key.first << " at "
                    << render_rfc3339(key.second);
      return;
    }
    EXPECT_NEAR(it->second, value, 1e-9) << when << ", series " << key.first << " at " << render_rfc3339(key.second);
  }
}

Async<Points> read_range(World& w, storage::RangeQuery query) {
  const auto ranges = co_await w.store->query_range(soon(), kDefaultTenant, query);
  if (!ranges) {
    co_return ranges.error();
  }
  Points found;
  for (const auto& range : *ranges) {
    for (const auto& point : range.points) {
      found[{w.series_of(range.series.id), point.time}] = point.value;
    }
  }
  co_return found;
}

Async<> check_ranges(World& w, std::string when) {
  const std::array steps{std::chrono::minutes(7), std::chrono::minutes(10),
                         std::chrono::minutes(60), std::chrono::minutes(180)};
  const std::array aggregations{Aggregation::min,  Aggregation::max, Aggregation::avg, Aggregation::last, Aggregation::sum,
                                Aggregation::count, Aggregation::rate, Aggregation::p50, Aggregation::p95, Aggregation::p99};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (std::size_t j = 0; j < aggregations.size(); ++j) {
      if ((i * aggregations.size() + j + w.rounds) % 6 != 0) {
        continue;
      }
      storage::RangeQuery query;
      query.metric_name = "cpu";
      query.from = kFirstDay + std::chrono::hours(5);
      query.to = kFirstDay + std::chrono::hours(61) + std::chrono::minutes(1);
      query.step = steps.at(i);
      query.aggregation = aggregations.at(j);
      query.series_max = 1000;
      const auto found = co_await read_range(w, query);
      if (!found) {
        co_return found.error();
      }
      expect_near(*found, expected_points(w, query), when + ", query_range, aggregation " + std::to_string(j) + ", step " + std::to_string(i));
    }
  }
  ++w.rounds;
  co_return Result<>{};
}

/// All series as one group, out of rollups where these will do, and every sample as it was written.
Async<> check_groups(World& w, std::string when) {
  storage::RangeQuery query;
  query.metric_name = "cpu";
  query.from = kFirstDay;
  query.to = kFirstDay + std::chrono::hours(72);
  query.step = std::chrono::hours(w.rounds % 2 == 0 ? 1 : 5);
  query.aggregation = Aggregation::sum;
  query.by = std::vector<std::string>{"job"};
  query.series_max = kSeries;
  const auto grouped = co_await w.store->query_range(soon(), kDefaultTenant, query);
  if (!grouped) {
    co_return grouped.error();
  }
  std::map<Timestamp, double> expected;
  for (const auto& [key, value] : w.model) {
    if (key.second < query.to) {
      expected[key.second - (key.second - query.from) % query.step] += value;
    }
  }
  EXPECT_EQ(grouped->size(), 1U) << when;
  EXPECT_EQ(grouped->front().members, static_cast<std::size_t>(kSeries)) << when;
  EXPECT_EQ(grouped->front().points.size(), expected.size()) << when;
  for (const model::Sample& point : grouped->front().points) {
    EXPECT_NEAR(point.value, expected[point.time], 1e-6) << when;
  }
  storage::SamplesQuery all{{{"__name__", model::SeriesMatchOp::equal, "cpu"}}, query.from, query.to + std::chrono::hours(24)};
  const auto samples = co_await w.store->read_samples(soon(), kDefaultTenant, all);
  if (!samples) {
    co_return samples.error();
  }
  Points found;
  for (const auto& series : *samples) {
    for (const auto& point : series.points) {
      found[{w.series_of(series.series.id), point.time}] = point.value;
    }
  }
  EXPECT_EQ(found, w.model) << when << ", read_samples";
  co_return Result<>{};
}

Async<> check_means(World& w, std::string when) {
  storage::RangeQuery query;
  query.from = kFirstDay;
  query.to = kFirstDay + std::chrono::hours(72);
  query.step = std::chrono::minutes(10);
  const auto means = co_await w.store->step_means(soon(), kDefaultTenant, w.ids, query.from,
                                                  query.to, std::chrono::seconds(600));
  if (!means) {
    co_return means.error();
  }
  Points found;
  for (const auto& series : *means) {
    for (const auto& point : series.points) {
      found[{w.series_of(series.series), point.time}] = point.value;
    }
  }
  expect_near(found, expected_points(w, query), when + ", step_means");
  co_return Result<>{};
}

Async<> check_raw(World& w, std::string when) {
  const auto raw = co_await w.store->recent_samples(soon(), kDefaultTenant, kFirstDay,
                                                    kFirstDay + std::chrono::hours(96), 1'000'000);
  if (!raw) {
    co_return raw.error();
  }
  Points found;
  for (const auto& sample : *raw) {
    found[{w.series_of(sample.series), sample.sample.time}] = sample.sample.value;
  }
  EXPECT_EQ(raw->size(), w.model.size()) << when << ": each time once";
  EXPECT_EQ(found, w.model) << when << ", recent_samples";
  const auto newest = co_await w.store->newest_sample(soon(), kDefaultTenant, kFirstDay + std::chrono::hours(96));
  if (!newest) {
    co_return newest.error();
  }
  Timestamp latest{};
  for (const auto& [key, value] : w.model) {
    latest = std::max(latest, key.second);
  }
  EXPECT_EQ(*newest, latest) << when;
  co_return Result<>{};
}

/// What people read: the view and the function.
void check_views(World& w, const std::string& when) {
  double sum = 0;
  for (const auto& [key, value] : w.model) {
    sum += value;
  }
  const std::string expected = std::to_string(w.model.size()) + ":" + std::to_string(sum);
  const auto read = [&w](const std::string& from) {
    return w.s.value(
        "select count(*) || ':' || to_char(sum(metric_value), 'FM999999999990.000000') from " +
        from);
  };
  EXPECT_EQ(read("sensus.metrics"), expected) << when;
  EXPECT_EQ(read("sensus.samples('cpu', '{}', '2026-11-01', '2026-12-01')"), expected) << when;
}

Async<> check_all(World& w, std::string when) {
  Result<> done = co_await check_ranges(w, when);
  if (!done) {
    co_return done;
  }
  done = co_await check_groups(w, when);
  if (!done) {
    co_return done;
  }
  done = co_await check_means(w, when);
  if (!done) {
    co_return done;
  }
  done = co_await check_raw(w, when);
  if (!done) {
    co_return done;
  }
  check_views(w, when);
  co_return Result<>{};
}

CORO_TEST(Compaction, EveryReadGivesTheSameAnswerBeforeDuringAndAfter) {
  auto executor = co_await boost::asio::this_coro::executor;
  World w(executor);
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
