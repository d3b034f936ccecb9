#include "integration/storage/store_fixture.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <thread>

namespace sensus::test {
namespace {

const Timestamp kNoon = at("2026-11-20T12:00:00Z");

/// Writes samples of one series; blocking, on the test's thread.
Result<storage::FlushResult> write(storage::SampleWriter& writer, const std::string& key,
                                   const std::vector<model::Sample>& samples) {
  storage::SampleFlush flush;
  flush.new_series.push_back(key);
  for (const model::Sample& sample : samples) {
    flush.rows.push_back({-1, sample.time, sample.value});
  }
  return writer.write_blocking(soon(), flush);
}

CORO_TEST(SampleWriter, CreatesSeriesAndCommitsSamplesAndEventsTogether) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  storage::SampleFlush flush;
  flush.new_series = {series_key("cpu", "b"), series_key("cpu", "a")};
  flush.rows = {{-1, kNoon, 1}, {-2, kNoon, 2}, {-1, kNoon + 1s, 3}};
  flush.events.push_back({model::Topic::metrics, "metric", "{\"x\":1}"});
  auto first = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(first);
  CO_ASSERT_EQ(first->new_series.size(), 2U);
  EXPECT_NE(first->new_series[0], first->new_series[1]);
  auto again = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->new_series, first->new_series) << "known series keep their ids";
  EXPECT_EQ(s.value("select count(*) from series"), "2");
  EXPECT_EQ(
      s.value("select string_agg(labels ->> 'instance', ',' order by id) from series where id = " +
              std::to_string(first->new_series[0])),
      "b");
  EXPECT_EQ(
      s.value(
          "select count(*) || topic || type || payload from outbox group by topic, type, payload"),
      "2metricsmetric{\"x\":1}");
  EXPECT_EQ(s.value("select count(*) || ':' || sum(metric_value) from metrics"), "3:6")
      << "repeats vanish when read";
}

CORO_TEST(SampleWriter, ARowHoldsOneBucketAndOneDay) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  storage::SampleFlush flush;
  for (int i = 0; i < 200; ++i) {
    flush.new_series.push_back(series_key("m", std::to_string(i)));
    for (int hour = 0; hour < 48; ++hour) {
      flush.rows.push_back({-(i + 1), kNoon + std::chrono::hours(hour), i + hour / 100.0});
    }
  }
  auto written = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(written);
  EXPECT_EQ(s.value("select count(*) from sample_batches where t_min::date <> t_max::date"), "0");
  EXPECT_EQ(s.value("select count(*) from sample_batches b where exists (select from "
                    "unnest(b.series_id) x where sample_bucket(x) <> b.bucket)"),
            "0");
  EXPECT_EQ(s.value("select sum(cardinality(ts)) from sample_batches"), "9600");
  EXPECT_EQ(s.value("select count(*) from sample_batches b where t_min <> (select min(x) from "
                    "unnest(ts) x) or t_max <> (select max(x) from unnest(ts) x)"),
            "0");
  EXPECT_EQ(s.value("select count(*) from (select sample_bucket(x) from generate_series(1, 1000) x "
                    "group by 1) y"),
            "64");
}

CORO_TEST(SampleWriter, TwoWritersOfTheSameNewSeriesAgree) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  storage::SampleFlush forward;
  for (int i = 0; i < 300; ++i) {
    forward.new_series.push_back(series_key("m", std::to_string(i)));
    forward.rows.push_back({-(i + 1), kNoon, 1});
  }
  storage::SampleFlush backward = forward;
  std::ranges::reverse(backward.new_series);
  Result<storage::FlushResult> a = make_error(Errc::internal, "");
  Result<storage::FlushResult> b = make_error(Errc::internal, "");
  std::thread other([&] {
    auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
    a = writer->write_blocking(soon(), forward);
  });
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  b = writer->write_blocking(soon(), backward);
  other.join();
  CO_ASSERT_OK(a);
  CO_ASSERT_OK(b);
  std::ranges::reverse(b->new_series);
  EXPECT_EQ(a->new_series, b->new_series);
  EXPECT_EQ(s.value("select count(*) from series"), "300");
}

CORO_TEST(SampleWriter, TouchesSeriesInUseAndTellsWhichAreThere) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  std::vector<model::Sample> one(1, model::Sample{kNoon, 1});
  auto created = write(*writer, series_key("cpu", "a"), one);
  CO_ASSERT_OK(created);
  const SeriesId id = created->new_series[0];
  (void)s.db.admin("update sensus.series set last_seen = '2020-01-01'");
  storage::SampleFlush flush;
  flush.rows.push_back({id, kNoon + 60s, 1});
  auto written = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(written);
  EXPECT_EQ(s.value("select last_seen from series"), "2020-01-01 00:00:00+00") << "not without being asked to";
  flush.touch = {id + 1, id};
  written = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(written);
  EXPECT_EQ(written->touched, std::vector<SeriesId>{id});
  EXPECT_EQ(s.value("select now() - last_seen < interval '1 minute' from series"), "t");
}

CORO_TEST(SampleWriter, NamesSeriesByTheRuleOfRemoval) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  std::vector<model::Sample> one(1, model::Sample{kNoon, 1});
  auto created = write(*writer, series_key("cpu", "a"), one);
  CO_ASSERT_OK(created);
  EXPECT_EQ(created->created, 1U);
  EXPECT_EQ(created->unseen_s, std::vector<std::uint32_t>{0});
  (void)s.db.admin("update sensus.series set last_seen = now() - interval '15 minutes'");
  auto fresh = write(*writer, series_key("cpu", "a"), one);
  CO_ASSERT_OK(fresh);
  EXPECT_EQ(fresh->new_series, created->new_series);
  CO_ASSERT_EQ(fresh->unseen_s.size(), 1U);
  EXPECT_NEAR(fresh->unseen_s[0], 900, 60);
  EXPECT_EQ(s.value("select now() - last_seen > interval '14 minutes' from series"), "t") << "read only";
  (void)s.db.admin("update sensus.series set last_seen = now() - interval '2 days'");
  auto old = write(*writer, series_key("cpu", "a"), one);
  CO_ASSERT_OK(old);
  EXPECT_EQ(old->new_series, created->new_series);
  EXPECT_EQ(old->unseen_s, std::vector<std::uint32_t>{0}) << "made fresh in the transaction of its samples";
  EXPECT_EQ(old->created, 0U);
  EXPECT_EQ(s.value("select now() - last_seen < interval '1 minute' from series"), "t");
}

CORO_TEST(SampleWriter, ARemovalAndAWriteOfAnOldSeriesNeverLeaveSamplesWithoutASeries) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  std::vector<model::Sample> one(1, model::Sample{kNoon, 1});
  for (int round = 0; round < 30; ++round) {
    CO_ASSERT_OK(write(*writer, series_key("cpu", std::to_string(round)), one));
    (void)s.db.admin("update sensus.series set last_seen = now() - interval '2 days'");
    (void)s.db.admin("delete from sensus.sample_batches");
    std::thread remover([&] {
      (void)s.db.admin("delete from sensus.series where last_seen < now() - interval '25 hours'");
    });
    const auto written = write(*writer, series_key("cpu", std::to_string(round)), one);
    remover.join();
    CO_ASSERT_OK(written);
    CO_ASSERT_EQ(s.value("select count(*) from sample_batches b, unnest(b.series_id) u(id) "
                         "where not exists (select from series r where r.id = u.id)"),
                 "0");
  }
}

CORO_TEST(SampleWriter, CreatesNoMoreSeriesThanItMay) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  std::vector<model::Sample> one(1, model::Sample{kNoon, 1});
  CO_ASSERT_OK(write(*writer, series_key("cpu", "known"), one));
  (void)s.db.admin("update sensus.series set last_seen = now() - interval '2 days'");
  storage::SampleFlush flush;
  flush.new_series = {series_key("cpu", "a"), series_key("cpu", "known"), series_key("cpu", "b"), series_key("cpu", "c")};
  for (std::int32_t i = 1; i <= 4; ++i) {
    flush.rows.push_back({-i, kNoon + 1s, 1.0 * i});
  }
  flush.create_max = 0;
  auto none = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(none);
  EXPECT_GT(none->new_series[1], 0);
  EXPECT_EQ(std::ranges::count(none->new_series, 0), 3);
  EXPECT_EQ(s.value("select count(*) from series"), "1");
  EXPECT_EQ(s.value("select sum(cardinality(value)) from sample_batches"), "2") << "rows of refused series are left out";
  flush.create_max = 2;
  auto two = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(two);
  EXPECT_EQ(two->created, 2U);
  EXPECT_EQ(std::ranges::count(two->new_series, 0), 1);
  EXPECT_EQ(s.value("select count(*) from series"), "3");
}

CORO_TEST(SampleStore, CountsSeriesThatAreActive) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  std::vector<model::Sample> one(1, model::Sample{kNoon, 1});
  for (int i = 0; i < 3; ++i) {
    CO_ASSERT_OK(write(*writer, series_key("cpu", std::to_string(i)), one));
  }
  (void)s.db.admin("update sensus.series set last_seen = now() - interval '50 minutes' where labels ->> 'instance' = '0'");
  (void)s.db.admin("update sensus.series set last_seen = now() - interval '70 minutes' where labels ->> 'instance' = '1'");
  const auto store = storage::make_sample_store(s.database);
  const auto active = co_await store->count_active_series(soon(), kDefaultTenant, 3600s);
  CO_ASSERT_OK(active);
  EXPECT_EQ(*active, 2U);
}

CORO_TEST(SampleWriter, ARefusedFlushLeavesNothing) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  storage::SampleFlush flush;
  flush.new_series.push_back(series_key("cpu", "a"));
  flush.rows.push_back({-2, kNoon, 1});
  auto refused = writer->write_blocking(soon(), flush);
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::internal);
  EXPECT_EQ(s.value("select count(*) from series"), "0");
  flush.rows[0].series = -1;
  auto written = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(written);
}

/// Random writes with repeats and late samples against a plain map.
CORO_TEST(SampleStore, ReadsWhatAModelSaysWithTheLastWriteOfEachTime) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  auto store = storage::make_sample_store(s.database);
  std::mt19937 random(7);
  std::map<std::pair<int, Timestamp>, double> model;
  std::vector<std::string> keys;
  for (int i = 0; i < 5; ++i) {
    keys.push_back(series_key("cpu", std::to_string(i)));
  }
  std::vector<SeriesId> ids;
  for (int round = 0; round < 30; ++round) {
    storage::SampleFlush flush;
    flush.new_series = keys;
    for (int i = 0; i < 40; ++i) {
      const int series = static_cast<int>(random() % 5);
      const Timestamp time = kNoon - 24h + std::chrono::seconds(random() % 600) * 240;
      const double value = static_cast<double>(random() % 1000) / 8;
      flush.rows.push_back({-(series + 1), time, value});
      model[{series, time}] = value;
    }
    auto written = writer->write_blocking(soon(), flush);
    CO_ASSERT_OK(written);
    ids = written->new_series;
  }

  auto all = co_await store->recent_samples(soon(), kDefaultTenant, kNoon - 24h, kNoon + 48h, 100'000);
  CO_ASSERT_OK(all);
  EXPECT_EQ(all->size(), model.size());
  for (const auto& raw : *all) {
    const auto series = std::ranges::find(ids, raw.series) - ids.begin();
    EXPECT_EQ((model[{static_cast<int>(series), raw.sample.time}]), raw.sample.value);
  }
  EXPECT_TRUE(std::ranges::is_sorted(*all, {}, [](const auto& raw) { return raw.sample.time; }));

  for (const auto aggregation : {storage::Aggregation::min, storage::Aggregation::max,
                                 storage::Aggregation::avg, storage::Aggregation::last}) {
    storage::RangeQuery query;
    query.metric_name = "cpu";
    query.matchers.push_back({"instance", model::MatchOp::not_equal, "4"});
    query.from = kNoon - 20h;
    query.to = kNoon - 2h;
    query.step = std::chrono::hours(1);
    query.aggregation = aggregation;
    auto ranges = co_await store->query_range(soon(), kDefaultTenant, query);
    CO_ASSERT_OK(ranges);
    EXPECT_EQ(ranges->size(), 4U);
    std::map<std::pair<int, Timestamp>, std::vector<double>> steps;
    for (const auto& [key, value] : model) {
      if (key.first != 4 && key.second >= query.from && key.second < query.to) {
        steps[{key.first, key.second - (key.second - query.from) % std::chrono::hours(1)}]
            .push_back(value);
      }
    }
    std::size_t points = 0;
    for (const auto& range : *ranges) {
      const int series = std::stoi(std::string(range.series.labels.get("instance")));
      for (const model::Sample& point : range.points) {
        ++points;
        const auto& values = steps[{series, point.time}];
        CO_ASSERT_TRUE(!values.empty());
        double expected = values.back();
        if (aggregation == storage::Aggregation::min) {
          expected = *std::ranges::min_element(values);
        } else if (aggregation == storage::Aggregation::max) {
          expected = *std::ranges::max_element(values);
        } else if (aggregation == storage::Aggregation::avg) {
          expected = 0;
          for (const double v : values) {
            expected += v / static_cast<double>(values.size());
          }
        }
        EXPECT_NEAR(point.value, expected, 1e-9);
      }
    }
    EXPECT_EQ(points, steps.size());
  }
  EXPECT_EQ(s.value("select count(*) from metrics"), std::to_string(model.size()));
  EXPECT_EQ(s.value("select count(*) from sensus.samples('cpu', '{}', '-infinity', 'infinity')"),
            std::to_string(model.size()));
}

CORO_TEST(SampleStore, StepMeansBeginAtMultiplesOfTheStep) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  auto store = storage::make_sample_store(s.database);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  // Prometheus keeps NaN and infinities; detectors do not know them.
  std::vector<model::Sample> samples{{kNoon + 5s, 1},          {kNoon + 30s, nan},
                                     {kNoon + 31s, infinity},  {kNoon + 32s, -infinity},
                                     {kNoon + 55s, 3},         {kNoon + 60s, 10},
                                     {kNoon + 120s, nan}};
  auto written = write(*writer, series_key("cpu", "a"), samples);
  CO_ASSERT_OK(written);
  EXPECT_EQ(s.value("select count(*) from metrics"), "7");
  auto means = co_await store->step_means(soon(), kDefaultTenant, written->new_series, kNoon + 1s,
                                          kNoon + 3600s, 60s);
  CO_ASSERT_OK(means);
  CO_ASSERT_EQ(means->size(), 1U);
  CO_ASSERT_EQ(means->at(0).points.size(), 2U);
  EXPECT_EQ(means->at(0).points[0].time, kNoon);
  EXPECT_EQ(means->at(0).points[0].value, 2);
  EXPECT_EQ(means->at(0).points[1].value, 10);
  std::vector<SeriesId> none;
  auto nothing =
      co_await store->step_means(soon(), kDefaultTenant, none, kNoon, kNoon + 3600s, 60s);
  CO_ASSERT_OK(nothing);
  EXPECT_TRUE(nothing->empty());
}

CORO_TEST(SampleStore, StepsOfACounterAreItsLastValues) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  auto store = storage::make_sample_store(s.database);
  const std::vector<model::Sample> samples{{kNoon, 100}, {kNoon + 30s, 160}, {kNoon + 45s, 5}, {kNoon + 60s, 7}};
  auto counted = write(*writer, series_key("requests_total", "a"), samples);
  CO_ASSERT_OK(counted);
  auto gauged = write(*writer, series_key("cpu", "a"), samples);
  CO_ASSERT_OK(gauged);
  const std::vector<SeriesId> ids{counted->new_series[0], gauged->new_series[0]};
  auto means = co_await store->step_means(soon(), kDefaultTenant, ids, kNoon, kNoon + 120s, 60s);
  CO_ASSERT_OK(means);
  CO_ASSERT_EQ(means->size(), 2U);
  EXPECT_EQ(means->at(0).points[0].value, 5);
  EXPECT_EQ(means->at(0).points[1].value, 7);
  EXPECT_NEAR(means->at(1).points[0].value, 265.0 / 3, 1e-9);
  auto recent = co_await store->recent_samples(soon(), kDefaultTenant, kNoon, kNoon + 1s, 10);
  CO_ASSERT_OK(recent);
  CO_ASSERT_EQ(recent->size(), 2U);
  EXPECT_NE(recent->at(0).is_counter, recent->at(1).is_counter);
}

CORO_TEST(SampleStore, TellsWhichSelectorIsTheFirstToMatchASeries) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  auto store = storage::make_sample_store(s.database);
  std::vector<SeriesId> ids;
  for (const auto& [name, instance] : {std::pair{"cpu_user", "a"}, {"cpu_user", "b"}, {"disk", "a"}, {"disk", "c"}}) {
    auto written = write(*writer, series_key(name, instance), {{kNoon, 1}});
    CO_ASSERT_OK(written);
    ids.push_back(written->new_series[0]);
  }
  std::vector<model::Selector> selectors;
  for (const char* text : {"cpu_user{instance=\"b\"}", "{__name__=~\"cpu_.+\"}", "{instance!~\"a|b\",absent=\"\"}"}) {
    selectors.push_back(model::parse_selector(text).value());
    EXPECT_TRUE(storage::check_selector(selectors.back()));
  }
  const std::vector<SeriesId> asked{ids[3], ids[0], ids[1], ids[2], 999'999};
  auto matches = co_await store->match_series(soon(), kDefaultTenant, asked, selectors);
  CO_ASSERT_OK(matches);
  CO_ASSERT_EQ(matches->size(), 4U);
  EXPECT_EQ(matches->at(0).selector, std::optional<std::size_t>(1));
  EXPECT_EQ(matches->at(0).series.metric_name, "cpu_user");
  EXPECT_EQ(matches->at(1).selector, std::optional<std::size_t>(0));
  EXPECT_EQ(matches->at(2).selector, std::nullopt);
  EXPECT_EQ(matches->at(3).selector, std::optional<std::size_t>(2));
  const auto refused = storage::check_selector(model::parse_selector("{a=~\"(x)\\\\1\"}").value());
  CO_ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, Errc::invalid_input);
}

CORO_TEST(SampleStore, NewestAndRecentSamples) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  auto store = storage::make_sample_store(s.database);
  auto none = co_await store->newest_sample(soon(), kDefaultTenant, kNoon);
  CO_ASSERT_OK(none);
  EXPECT_FALSE(none->has_value());
  std::vector<model::Sample> samples{{kNoon, 1}, {kNoon - 30h, 2}, {kNoon - 1h, 3}};
  auto written = write(*writer, series_key("cpu", "a"), samples);
  CO_ASSERT_OK(written);
  auto newest = co_await store->newest_sample(soon(), kDefaultTenant, kNoon);
  CO_ASSERT_OK(newest);
  EXPECT_EQ(*newest, kNoon);
  // All three lie in rows that reach beyond these bounds or end before them.
  auto earlier = co_await store->newest_sample(soon(), kDefaultTenant, kNoon - 1us);
  CO_ASSERT_OK(earlier);
  EXPECT_EQ(*earlier, kNoon - 1h) << "of a row that reaches beyond the bound too";
  auto day_before = co_await store->newest_sample(soon(), kDefaultTenant, kNoon - 13h);
  CO_ASSERT_OK(day_before);
  EXPECT_EQ(*day_before, kNoon - 30h);
  auto before_all = co_await store->newest_sample(soon(), kDefaultTenant, kNoon - 31h);
  CO_ASSERT_OK(before_all);
  EXPECT_FALSE(before_all->has_value());
  auto recent = co_await store->recent_samples(soon(), kDefaultTenant, kNoon - 2h, kNoon + 1h, 1);
  CO_ASSERT_OK(recent);
  CO_ASSERT_EQ(recent->size(), 1U);
  EXPECT_EQ(recent->at(0).sample.value, 3) << "the oldest first";
  auto bounded = co_await store->recent_samples(soon(), kDefaultTenant, kNoon - 2h, kNoon, 10);
  CO_ASSERT_OK(bounded);
  CO_ASSERT_EQ(bounded->size(), 1U);
  EXPECT_EQ(bounded->at(0).sample.value, 3) << "the end does not belong to the window";
}

CORO_TEST(SampleStore, ListsSeriesByNameMatcherAndPage) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  auto store = storage::make_sample_store(s.database);
  storage::SampleFlush flush;
  for (int i = 0; i < 5; ++i) {
    flush.new_series.push_back(series_key(i < 3 ? "cpu" : "mem", std::to_string(i)));
    flush.rows.push_back({-(i + 1), kNoon, 1});
  }
  auto written = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(written);
  storage::SeriesQuery query;
  query.limit = 4;
  auto page = co_await store->list_series(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(page);
  CO_ASSERT_EQ(page->size(), 4U);
  query.after = page->back().id;
  auto rest = co_await store->list_series(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(rest);
  EXPECT_EQ(rest->size(), 1U);
  storage::SeriesQuery cpu;
  cpu.metric_name = "cpu";
  cpu.matchers.push_back({"instance", model::MatchOp::equal, "2"});
  auto found = co_await store->list_series(soon(), kDefaultTenant, cpu);
  CO_ASSERT_OK(found);
  CO_ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->at(0).metric_name, "cpu");
  EXPECT_EQ(found->at(0).labels.get("instance"), "2");
  EXPECT_EQ(found->at(0).id, written->new_series[2]);
  auto by_id = co_await store->series_by_id(soon(), kDefaultTenant, written->new_series);
  CO_ASSERT_OK(by_id);
  EXPECT_EQ(by_id->size(), 5U);
}

CORO_TEST(SampleStore, SeriesThatEndedBeforeTheWindowDoNotUseUpTheLimit) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  const Timestamp from = kNoon - 24h;  // Past: a new series counts as seen now.
  const auto ended = write(*writer, series_key("cpu", "ended"), {{from - 48h, 1}});
  const auto silent = write(*writer, series_key("cpu", "silent"), {{from - 30min, 2}});
  const auto alive = write(*writer, series_key("cpu", "alive"), {{from, 3}});
  CO_ASSERT_TRUE(ended && silent && alive);
  EXPECT_EQ(s.value("update series set last_seen = '2026-11-17T12:00:00Z' where labels ->> 'instance' = 'ended' returning 1"), "1");
  auto store = storage::make_sample_store(s.database);
  storage::RangeQuery query;
  query.metric_name = "cpu";
  query.from = from;
  query.to = from + 60s;
  query.series_max = 2;
  auto ranges = co_await store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(ranges);
  CO_ASSERT_EQ(ranges->size(), 2U);
  EXPECT_EQ((*ranges)[0].series.labels.get("instance"), "silent");
  EXPECT_TRUE((*ranges)[0].points.empty());
  CO_ASSERT_EQ((*ranges)[1].points.size(), 1U);
  EXPECT_EQ((*ranges)[1].points[0].value, 3);
}

CORO_TEST(SampleStore, RefusesWindowsThatMakeNoSense) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_sample_store(s.database);
  storage::RangeQuery query;
  query.metric_name = "cpu";
  query.from = kNoon;
  query.to = kNoon + 100s;
  query.step = 1s;
  query.points_max = 100;
  auto at_limit = co_await store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(at_limit);
  EXPECT_TRUE(at_limit->empty());
  query.to += 1ms;
  auto too_many = co_await store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_TRUE(!too_many);
  EXPECT_EQ(too_many.error().field, "step");
  query.to = query.from;
  auto empty = co_await store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_TRUE(!empty);
  EXPECT_EQ(empty.error().code, Errc::invalid_input);
  query.to = kNoon + 100s;
  query.metric_name.clear();
  auto nameless = co_await store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_TRUE(!nameless);
  EXPECT_EQ(nameless.error().field, "metric_name");
}

}  // namespace
}  // namespace sensus::test
