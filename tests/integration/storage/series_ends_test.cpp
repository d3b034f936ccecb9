#include "integration/storage/store_fixture.hpp"

namespace sensus::test {
namespace {

const Timestamp kNoon = at("2026-11-20T12:00:00Z");

class Writer {
 public:
  explicit Writer(Store& store) : writer_(storage::make_sample_writer(store.options, telemetry::Log(), store.metrics)) {}

  storage::FlushResult write(const storage::SampleFlush& flush) {
    auto result = writer_->write_blocking(soon(), flush);
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message);
    return result ? *result : storage::FlushResult{};
  }
  /// A sample of a series that is asked for by its key.
  storage::FlushResult named(const std::string& key, Timestamp time) {
    storage::SampleFlush flush;
    flush.new_series.push_back(key);
    flush.rows.push_back({-1, time, 1});
    return write(flush);
  }
  storage::FlushResult end(const std::string& key, Timestamp time) {
    storage::SampleFlush flush;
    flush.ends.push_back({key, time});
    return write(flush);
  }
  storage::FlushResult resume(SeriesId id, Timestamp time) {
    storage::SampleFlush flush;
    flush.rows.push_back({id, time, 1});
    flush.resumed.push_back({id, time});
    return write(flush);
  }

 private:
  std::unique_ptr<storage::SampleWriter> writer_;
};

const std::string kEndedAt = "select coalesce(to_char(ended_at, 'HH24:MI:SS'), 'goes on') from series";
using Ids = std::vector<SeriesId>;

CORO_TEST(SeriesEnds, AnEndIsKeptUntilALaterSample) {
  Store s(co_await boost::asio::this_coro::executor);
  Writer writer(s);
  const std::string key = series_key("up", "a");
  const SeriesId id = writer.named(key, kNoon).new_series.at(0);
  EXPECT_EQ(s.value(kEndedAt), "goes on");
  EXPECT_EQ(writer.end(key, kNoon + 15s).ended, Ids{id});
  EXPECT_EQ(s.value(kEndedAt), "12:00:15");
  EXPECT_EQ(s.value("select count(*) from metrics"), "1") << "an end is no sample";
  EXPECT_EQ(writer.end(key, kNoon + 10s).ended, Ids{id});
  EXPECT_EQ(s.value(kEndedAt), "12:00:15") << "the later end stays";
  EXPECT_EQ(writer.resume(id, kNoon + 15s).ended, Ids{id});
  EXPECT_EQ(s.value(kEndedAt), "12:00:15") << "a late sample, stored all the same";
  EXPECT_EQ(writer.resume(id, kNoon + 16s).ended, Ids{});
  EXPECT_EQ(s.value(kEndedAt), "goes on");
  EXPECT_EQ(s.value("select count(*) from metrics"), "3");
}

CORO_TEST(SeriesEnds, AnUnknownSeriesDoesNotComeIntoBeingByItsEnd) {
  Store s(co_await boost::asio::this_coro::executor);
  Writer writer(s);
  EXPECT_EQ(writer.end(series_key("up", "a"), kNoon).ended, Ids{});
  EXPECT_EQ(s.value("select count(*) from series"), "0");
}

CORO_TEST(SeriesEnds, ASeriesAskedForByItsKeyTellsThatItHadEnded) {
  Store s(co_await boost::asio::this_coro::executor);
  Writer writer(s);
  const std::string key = series_key("up", "a");
  const SeriesId id = writer.named(key, kNoon).new_series.at(0);
  static_cast<void>(writer.end(key, kNoon + 15s));
  EXPECT_EQ(writer.named(key, kNoon + 5s).ended, Ids{id});
  EXPECT_EQ(s.value(kEndedAt), "12:00:15");
  EXPECT_EQ(writer.named(key, kNoon + 20s).ended, Ids{});
  EXPECT_EQ(s.value(kEndedAt), "goes on");
  static_cast<void>(writer.end(key, kNoon + 25s));
  (void)s.db.admin("update sensus.series set last_seen = now() - interval '2 days'");
  EXPECT_EQ(writer.named(key, kNoon + 30s).ended, Ids{}) << "one that was revived as well";
  EXPECT_EQ(s.value(kEndedAt), "goes on");
}

CORO_TEST(SeriesEnds, OfAnEndAndASampleInOneCommitTheLaterCounts) {
  Store s(co_await boost::asio::this_coro::executor);
  Writer writer(s);
  storage::SampleFlush flush;
  flush.new_series = {series_key("up", "a"), series_key("up", "b")};
  flush.rows = {{-1, kNoon, 1}, {-2, kNoon, 1}};
  flush.ends = {{flush.new_series[0], kNoon + 5s}, {flush.new_series[1], kNoon - 5s}, {flush.new_series[0], kNoon + 1s}};
  flush.resumed = {{-1, kNoon}, {-2, kNoon}};
  const auto result = writer.write(flush);
  EXPECT_EQ(result.ended, Ids{result.new_series.at(0)});
  EXPECT_EQ(s.value("select string_agg(labels ->> 'instance', ',') from series where ended_at is not null"), "a");
  EXPECT_EQ(s.value("select to_char(ended_at, 'HH24:MI:SS') from series where ended_at is not null"), "12:00:05");
}

CORO_TEST(SeriesEnds, ARefusedSeriesNeitherEndsNorGoesOn) {
  Store s(co_await boost::asio::this_coro::executor);
  Writer writer(s);
  storage::SampleFlush flush;
  flush.new_series = {series_key("up", "a")};
  flush.rows = {{-1, kNoon + 9s, 1}};
  flush.ends = {{flush.new_series[0], kNoon}};
  flush.resumed = {{-1, kNoon + 9s}};
  flush.create_max = 0;
  const auto result = writer.write(flush);
  EXPECT_EQ(result.new_series, Ids{0});
  EXPECT_EQ(result.ended, Ids{});
}

CORO_TEST(SeriesEnds, ReadsTellWhichHaveEnded) {
  Store s(co_await boost::asio::this_coro::executor);
  Writer writer(s);
  const SeriesId a = writer.named(series_key("up", "a"), kNoon).new_series.at(0);
  const SeriesId b = writer.named(series_key("up", "b"), kNoon).new_series.at(0);
  static_cast<void>(writer.end(series_key("up", "b"), kNoon + 15s));
  const auto store = storage::make_sample_store(s.database);
  const Ids asked{b, a, b + 100};
  const auto ended = co_await store->ended(soon(), kDefaultTenant, asked);
  CO_ASSERT_OK(ended);
  EXPECT_EQ(*ended, Ids{b});
  const storage::SeriesQuery all;
  const auto listed = co_await store->list_series(soon(), kDefaultTenant, all);
  CO_ASSERT_OK(listed);
  CO_ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ((*listed)[0].ended_at, std::nullopt);
  EXPECT_EQ((*listed)[1].ended_at, kNoon + 15s);
  const auto by_id = co_await store->series_by_id(soon(), kDefaultTenant, asked);
  CO_ASSERT_OK(by_id);
  EXPECT_EQ(by_id->at(1).ended_at, kNoon + 15s);
}

/// A scrape that failed: all of a large target at once.
CORO_TEST(SeriesEnds, TenThousandAtOnceTakeWellUnderASecond) {
  Store s(co_await boost::asio::this_coro::executor);
  Writer writer(s);
  storage::SampleFlush samples;
  storage::SampleFlush ends;
  for (int i = 0; i < 10'000; ++i) {
    samples.new_series.push_back(series_key("load", std::to_string(i)));
    samples.rows.push_back({-(i + 1), kNoon, 1});
    ends.ends.push_back({samples.new_series.back(), kNoon + 15s});
  }
  static_cast<void>(writer.write(samples));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(writer.write(ends).ended.size(), 10'000U);
  const auto took = std::chrono::steady_clock::now() - begin;
  ::testing::Test::RecordProperty("took_ms", static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
  EXPECT_LT(took, 4s) << "far above what it takes, since tests share the machine";
  EXPECT_EQ(s.value("select count(*) from series where ended_at = '2026-11-20T12:00:15Z'"), "10000");
}

}  // namespace
}  // namespace sensus::test
