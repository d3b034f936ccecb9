#include "stream_fixture.hpp"

#include "sensus/stream/live_feed.hpp"

namespace sensus::test {
namespace {
namespace asio = boost::asio;
using Subscription = std::unique_ptr<stream::LiveFeed::Subscription>;

struct FeedBench {
  FeedBench(const runtime::Executor& executor, const redis::Options& redis_at)
      : bench(executor, redis_at),
        tasks(executor, {}),
        feed(stream::LiveFeed::Deps{executor, redis_at, {}, metrics}, bench.options) {
    tasks.spawn("feed", feed.run());
  }
  [[nodiscard]] runtime::Async<std::vector<std::string>> publish(EventId first, int count) {
    Result<std::vector<std::string>> ids =
        co_await bench.publish(first, count, model::Topic::events);
    co_return ids;
  }
  /// Connected and at the end of the stream: what is published from now on is live.
  [[nodiscard]] runtime::Task until_live() {
    co_await until_connected(*bench.redis.client);
    std::function<bool()> connected = [this] {
      return series_value(metrics, "sensus_redis_connected{connection=\"live-feed\"}") == 1;
    };
    co_await until(connected, "the feed's connection");
    (void)co_await runtime::sleep(120ms);
  }
  [[nodiscard]] runtime::Async<Subscription> subscribe(std::optional<std::string> after) {
    const Deadline deadline = Deadline::after(1s);
    Result<Subscription> subscription = co_await feed.subscribe(deadline, std::move(after));
    co_return subscription;
  }
  [[nodiscard]] runtime::Task finish() {
    feed.stop();
    Result<> stopped = co_await tasks.stop(5s);
    EXPECT_TRUE(stopped);
    co_await bench.redis.finish();
  }
  telemetry::Metrics metrics;
  StreamBench bench;
  runtime::TaskGroup tasks;
  stream::LiveFeed feed;
};

/// Reads until it has `count` entries; yields their event ids.
runtime::Async<std::vector<EventId>> read(stream::LiveFeed::Subscription& subscription,
                                          std::size_t count) {
  std::vector<EventId> ids;
  const Deadline limit = Deadline::after(5s);
  while (ids.size() < count && !limit.expired()) {
    Result<std::vector<Entry>> entries = co_await subscription.next(limit);
    if (!entries) {
      co_return std::move(entries).error();
    }
    for (const Entry& entry : *entries) {
      ids.push_back(entry.event.id);
    }
  }
  co_return ids;
}

std::vector<EventId> range(EventId first, EventId last) {
  std::vector<EventId> ids;
  for (EventId id = first; id <= last; ++id) {
    ids.push_back(id);
  }
  return ids;
}

CORO_TEST(LiveFeed, EveryReaderSeesWhatComes) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  FeedBench bench(executor, redis_options());
  co_await bench.until_live();
  (void)co_await bench.publish(1, 3);
  (void)co_await runtime::sleep(50ms);
  Result<Subscription> one = co_await bench.subscribe(std::nullopt);
  Result<Subscription> two = co_await bench.subscribe(std::nullopt);
  CO_ASSERT_OK(one);
  CO_ASSERT_OK(two);
  const Deadline beat = Deadline::after(30ms);
  Result<std::vector<Entry>> nothing = co_await (*one)->next(beat);
  CO_ASSERT_OK(nothing);
  EXPECT_TRUE(nothing->empty());
  (void)co_await bench.publish(4, 5);
  Result<std::vector<EventId>> first = co_await read(**one, 5);
  Result<std::vector<EventId>> second = co_await read(**two, 5);
  EXPECT_EQ(*first, range(4, 8));
  EXPECT_EQ(*second, range(4, 8));
  EXPECT_EQ(series_value(bench.metrics, "sensus_stream_subscribers"), 2);
  one->reset();
  EXPECT_EQ(series_value(bench.metrics, "sensus_stream_subscribers"), 1);
  two->reset();
  co_await bench.finish();
}

CORO_TEST(LiveFeed, ComesBackWithLastEventIdWithoutAGapOrADouble) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  FeedBench bench(executor, redis_options());
  co_await bench.until_live();
  Result<std::vector<std::string>> ids = co_await bench.publish(1, 500);
  Result<Subscription> reader = co_await bench.subscribe((*ids)[9]);
  CO_ASSERT_OK(reader);
  (void)co_await bench.publish(501, 3);
  Result<std::vector<EventId>> all = co_await read(**reader, 493);
  EXPECT_EQ(*all, range(11, 503));
  (void)co_await bench.publish(504, 2);
  Result<std::vector<EventId>> live = co_await read(**reader, 2);
  EXPECT_EQ(*live, range(504, 505));
  const Deadline beat = Deadline::after(50ms);
  Result<std::vector<Entry>> nothing = co_await (*reader)->next(beat);
  EXPECT_TRUE(nothing->empty());
  reader->reset();
  co_await bench.finish();
}

CORO_TEST(LiveFeed, AnIdAheadOfTheStreamGetsAllThatIsThere) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  FeedBench bench(executor, redis_options());
  co_await bench.until_live();
  (void)co_await bench.publish(1, 1);
  (void)co_await runtime::sleep(50ms);
  // Redis lost its data and its new clock is behind, or the reader made the id up.
  Result<Subscription> ahead = co_await bench.subscribe("99999999999999-0");
  CO_ASSERT_OK(ahead);
  (void)co_await bench.publish(2, 2);
  Result<std::vector<EventId>> seen = co_await read(**ahead, 3);
  CO_ASSERT_OK(seen);
  EXPECT_EQ(*seen, range(1, 3));
  ahead->reset();
  co_await bench.finish();
}

CORO_TEST(LiveFeed, RefusesIdsThatAreNoneAndReadersOverTheLimit) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  FeedBench bench(executor, redis_options());
  Result<Subscription> bad = co_await bench.subscribe("yesterday");
  EXPECT_EQ(bad.error().code, Errc::invalid_input);
  EXPECT_EQ(bad.error().field, "Last-Event-ID");
  std::vector<Subscription> readers;
  for (int i = 0; i < 256; ++i) {
    Result<Subscription> reader = co_await bench.subscribe(std::nullopt);
    CO_ASSERT_OK(reader);
    readers.push_back(std::move(*reader));
  }
  Result<Subscription> over = co_await bench.subscribe(std::nullopt);
  EXPECT_EQ(over.error().code, Errc::overloaded);
  readers.pop_back();
  Result<Subscription> again = co_await bench.subscribe(std::nullopt);
  EXPECT_TRUE(again);
  readers.clear();
  again->reset();
  co_await bench.finish();
}

CORO_TEST(LiveFeed, ASlowReaderIsClosedAndTheOthersAreNot) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  FeedBench bench(executor, redis_options());
  co_await bench.until_live();
  Result<Subscription> slow = co_await bench.subscribe(std::nullopt);
  Result<Subscription> quick = co_await bench.subscribe(std::nullopt);
  Result<std::vector<std::string>> ids = co_await bench.publish(1, 700);
  Result<std::vector<EventId>> first = co_await read(**quick, 700);
  (void)co_await bench.publish(701, 700);
  Result<std::vector<EventId>> second = co_await read(**quick, 700);
  EXPECT_EQ(*second, range(701, 1400));
  const Deadline soon = Deadline::after(1s);
  Result<std::vector<Entry>> closed = co_await (*slow)->next(soon);
  EXPECT_EQ(closed.error().code, Errc::unavailable);
  EXPECT_EQ(series_value(bench.metrics, "sensus_stream_subscribers_dropped_total"), 1);
  Result<Subscription> back = co_await bench.subscribe((*ids)[0]);
  Result<std::vector<EventId>> caught_up = co_await read(**back, 1399);
  EXPECT_EQ(*caught_up, range(2, 1400));
  slow->reset();
  quick->reset();
  back->reset();
  co_await bench.finish();
}

CORO_TEST(LiveFeed, GoesOnAfterRedisWasFlushedAndAfterItCameBack) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  FeedBench bench(executor, server.options());
  co_await bench.until_live();
  Result<Subscription> reader = co_await bench.subscribe(std::nullopt);
  (void)co_await bench.publish(1, 1);
  Result<std::vector<EventId>> first = co_await read(**reader, 1);
  EXPECT_EQ(*first, range(1, 1));
  (void)co_await bench.bench.redis.ask("FLUSHALL");
  (void)co_await runtime::sleep(
      5ms);  // Ids begin with the millisecond: the new stream's must be larger.
  (void)co_await bench.publish(2, 1);
  Result<std::vector<EventId>> second = co_await read(**reader, 1);
  EXPECT_EQ(*second, range(2, 2));
  server.kill();
  const Deadline beat = Deadline::after(100ms);
  Result<std::vector<Entry>> heartbeat = co_await (*reader)->next(beat);
  CO_ASSERT_OK(heartbeat);
  EXPECT_TRUE(heartbeat->empty());
  server.start();
  co_await bench.until_live();
  (void)co_await bench.publish(3, 1);
  Result<std::vector<EventId>> third = co_await read(**reader, 1);
  EXPECT_EQ(*third, range(3, 3));
  bench.feed.stop();
  const Deadline soon = Deadline::after(1s);
  Result<std::vector<Entry>> stopped = co_await (*reader)->next(soon);
  EXPECT_EQ(stopped.error().code, Errc::unavailable);
  reader->reset();
  co_await bench.finish();
}

}  // namespace
}  // namespace sensus::test
