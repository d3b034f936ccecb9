#include "stream_fixture.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/telemetry/log.hpp"

namespace sensus::test {
namespace {
namespace asio = boost::asio;

struct JanitorBench {
  JanitorBench(const runtime::Executor& executor, const redis::Options& redis_at)
      : bench(executor, redis_at), tasks(executor, {}) {}
  void start(telemetry::Log log = {}) {
    tasks.spawn("janitor", stream::run_janitor(*bench.redis.client, bench.options, clock,
                                               std::move(log), metrics, 20ms));
  }
  /// Some rounds pass.
  [[nodiscard]] runtime::Task rounds() { (void)co_await runtime::sleep(150ms); }
  [[nodiscard]] runtime::Async<std::int64_t> length() {
    std::string command = "XLEN " + bench.options.alerts_key;
    Result<std::int64_t> length = co_await bench.number(std::move(command));
    co_return length;
  }
  [[nodiscard]] double group_value(const std::string& family) const {
    return series_value(metrics, family + "{group=\"" + bench.options.group + "\",stream=\"" +
                                     bench.options.alerts_key + "\"}");
  }
  [[nodiscard]] runtime::Task finish() {
    Result<> stopped = co_await tasks.stop(0ms);
    EXPECT_TRUE(stopped);
    co_await bench.redis.finish();
  }
  SystemClock clock;
  telemetry::Metrics metrics;
  StreamBench bench;
  runtime::TaskGroup tasks;
};

CORO_TEST(StreamJanitor, NeverTrimsWhatIsUnreadOrPending) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  JanitorBench janitor(executor, redis_options());
  StreamBench& bench = janitor.bench;
  co_await until_connected(*bench.redis.client);
  (void)co_await bench.publish(1, 300);
  janitor.start();
  co_await janitor.rounds();
  Result<std::int64_t> no_group = co_await janitor.length();
  EXPECT_EQ(*no_group, 300);

  co_await bench.make_group();
  co_await janitor.rounds();
  Result<std::int64_t> unread = co_await janitor.length();
  EXPECT_EQ(*unread, 300);
  EXPECT_EQ(janitor.group_value("sensus_stream_lag"), 300);

  co_await bench.read_as("reader", 250);
  co_await janitor.rounds();
  Result<std::int64_t> pending = co_await janitor.length();
  EXPECT_EQ(*pending, 300);
  EXPECT_EQ(janitor.group_value("sensus_stream_pending"), 250);
  EXPECT_EQ(janitor.group_value("sensus_stream_lag"), 50);
  co_await janitor.finish();
}

CORO_TEST(StreamJanitor, TrimsWhatEveryGroupHasDone) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  JanitorBench janitor(executor, redis_options());
  StreamBench& bench = janitor.bench;
  co_await until_connected(*bench.redis.client);
  co_await bench.make_group();
  (void)co_await bench.redis.ask("XGROUP CREATE " + bench.options.alerts_key + " others 0");
  Result<std::vector<std::string>> ids = co_await bench.publish(1, 100);
  co_await bench.read_as("reader", 100);
  std::string ack = "XACK " + bench.options.alerts_key + " " + bench.options.group;
  for (std::size_t i = 0; i < 100; ++i) {
    ack += i == 60 ? "" : " " + (*ids)[i];
  }
  (void)co_await bench.redis.ask(ack);
  janitor.start();
  co_await janitor.rounds();
  Result<std::int64_t> held = co_await janitor.length();
  EXPECT_EQ(*held, 100);  // The other group has read nothing.

  (void)co_await bench.redis.ask("XREADGROUP GROUP others x COUNT 40 NOACK STREAMS " +
                                 bench.options.alerts_key + " >");
  co_await janitor.rounds();
  Result<std::int64_t> partly = co_await janitor.length();
  EXPECT_EQ(*partly, 61);  // From the last delivered to the others.

  (void)co_await bench.redis.ask("XREADGROUP GROUP others x COUNT 100 NOACK STREAMS " +
                                 bench.options.alerts_key + " >");
  co_await janitor.rounds();
  Result<std::int64_t> to_pending = co_await janitor.length();
  EXPECT_EQ(*to_pending, 40);  // From the pending one.

  (void)co_await bench.redis.ask("XACK " + bench.options.alerts_key + " " + bench.options.group +
                                 " " + (*ids)[60]);
  co_await janitor.rounds();
  Result<std::int64_t> done = co_await janitor.length();
  EXPECT_EQ(*done, 1);
  EXPECT_EQ(series_value(janitor.metrics,
                         "sensus_stream_length{stream=\"" + bench.options.alerts_key + "\"}"),
            1);
  EXPECT_EQ(series_value(janitor.metrics, "sensus_stream_trimmed_total{stream=\"" +
                                              bench.options.alerts_key + "\"}"),
            99);
  co_await janitor.finish();
}

CORO_TEST(StreamJanitor, KeepsEventsForTheirRetention) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  JanitorBench janitor(executor, redis_options());
  StreamBench& bench = janitor.bench;
  co_await until_connected(*bench.redis.client);
  const std::int64_t now_ms = to_unix_us(janitor.clock.now()) / 1000;
  const std::int64_t kept_ms = bench.options.events_retention.count();
  for (const std::int64_t age : {kept_ms + 60'000, kept_ms - 60'000, std::int64_t{0}}) {
    (void)co_await bench.redis.ask("XADD " + bench.options.events_key + " " +
                                   std::to_string(now_ms - age) + "-0 a b");
  }
  janitor.start();
  co_await janitor.rounds();
  Result<std::int64_t> left = co_await bench.number("XLEN " + bench.options.events_key);
  EXPECT_EQ(*left, 2);
  co_await janitor.finish();
}

CORO_TEST(StreamJanitor, WarnsWhenRedisMayEvict) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  std::string lines;
  std::function<void(std::string_view)> collect = [&lines](std::string_view line) {
    lines += line;
  };
  telemetry::LogSystem logs(telemetry::LogOptions{}, collect);
  JanitorBench janitor(executor, server.options());
  co_await until_connected(*janitor.bench.redis.client);
  (void)co_await janitor.bench.redis.ask("CONFIG SET maxmemory-policy allkeys-lru");
  janitor.start(logs.log("stream"));
  co_await janitor.rounds();
  const std::size_t at = lines.find("noeviction");
  EXPECT_NE(at, std::string::npos) << lines;
  EXPECT_EQ(lines.find("noeviction", at + 1), std::string::npos) << "said more than once";
  co_await janitor.finish();
}

}  // namespace
}  // namespace sensus::test
