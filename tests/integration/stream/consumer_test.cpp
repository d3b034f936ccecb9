#include "stream_fixture.hpp"

namespace sensus::test {
namespace {
namespace asio = boost::asio;

CORO_TEST(StreamConsumer, HandsOverInOrderAndAcknowledges) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.one.start();
  Result<std::vector<std::string>> ids = co_await bench.publish(1, 25);
  co_await bench.until_seen(25);
  for (EventId id = 1; id <= 25; ++id) {
    EXPECT_EQ(bench.one.recorder.seen[static_cast<std::size_t>(id - 1)].event.id, id);
  }
  EXPECT_EQ(bench.one.recorder.seen[3].stream_id, (*ids)[3]);
  EXPECT_EQ(bench.one.recorder.seen[3].event.payload, "{\"n\":4}");
  co_await bench.until_nothing_pending();
  EXPECT_EQ(bench.one.recorder.lost, 1);  // The group was made: the outbox is asked once.
  EXPECT_EQ(bench.one.consumer.health().state, telemetry::HealthState::ok);
  co_await bench.one.finish();
  EXPECT_EQ(
      series_value(bench.one.metrics, "sensus_stream_entries_total{outcome=\"acked\",stream=\"" +
                                          bench.options.alerts_key + "\"}"),
      25);
  co_await bench.redis.finish();
}

CORO_TEST(StreamConsumer, AnIdleConsumerGetsANewEntryAtOnce) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  stream::Options options = quick_options(unique_prefix());
  options.block = 5s;
  options.claim_idle = 60s;
  StreamBench bench(executor, redis_options(), options);
  co_await until_connected(*bench.redis.client);
  bench.one.start();
  co_await bench.publish_and_see(1, 1);
  (void)co_await runtime::sleep(50ms);
  const auto started = std::chrono::steady_clock::now();
  co_await bench.publish_and_see(2, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 1s);
  co_await bench.finish();
}

CORO_TEST(StreamConsumer, WhatAskedToBeRetriedComesBackAfterClaimIdle) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  int refusals = 2;
  bench.one.recorder.decide = [&refusals](const Entry& entry) {
    return entry.event.id == 2 && refusals-- > 0 ? Disposition::retry : Disposition::ack;
  };
  bench.one.start();
  const auto started = std::chrono::steady_clock::now();
  (void)co_await bench.publish(1, 3);
  co_await bench.until_seen(5);
  EXPECT_GE(std::chrono::steady_clock::now() - started, 2 * bench.options.claim_idle);
  EXPECT_EQ(bench.one.recorder.count(1), 1);
  EXPECT_EQ(bench.one.recorder.count(2), 3);
  co_await bench.until_nothing_pending();
  EXPECT_TRUE(bench.one.recorder.dead.empty());
  co_await bench.finish();
}

CORO_TEST(StreamConsumer, GivesUpAfterTheLastDeliveryAndKeepsADeadLetter) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.one.recorder.decide = [](const Entry& entry) {
    return entry.event.id == 1 ? Disposition::retry : Disposition::ack;
  };
  bench.one.recorder.sink_broken = true;
  bench.one.start();
  (void)co_await bench.publish(1, 2);
  std::function<bool()> three = [&bench] { return bench.one.recorder.count(1) == 3; };
  co_await until(three, "the last delivery");
  // While the sink fails the entry stays; it is not handed out again.
  (void)co_await runtime::sleep(2 * bench.options.claim_idle);
  Result<std::int64_t> kept = co_await bench.pending();
  EXPECT_EQ(*kept, 1);
  bench.one.recorder.sink_broken = false;
  std::function<bool()> dead = [&bench] { return !bench.one.recorder.dead.empty(); };
  co_await until(dead, "the dead letter");
  co_await bench.until_nothing_pending();
  EXPECT_EQ(bench.one.recorder.count(1), 3);
  EXPECT_EQ(bench.one.recorder.dead[0].entry.event.id, 1);
  EXPECT_GE(bench.one.recorder.dead[0].deliveries, 3);
  Result<redis::Reply> copy =
      co_await bench.redis.ask("XRANGE " + bench.options.alerts_key + ":dead - +");
  CO_ASSERT_EQ(copy->array()->size(), 1U);
  co_await bench.finish();
}

CORO_TEST(StreamConsumer, RefusedAndPoisonedEntriesBecomeDeadLettersAtOnce) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.one.recorder.decide = [](const Entry& entry) {
    return entry.event.id == 2 ? Disposition::dead_letter : Disposition::ack;
  };
  bench.one.start();
  (void)co_await bench.redis.ask("XADD " + bench.options.alerts_key +
                                 " * type alert data {} ts soon id 5");
  (void)co_await bench.redis.ask("XADD " + bench.options.alerts_key + " * hello \xff\xfe");
  (void)co_await bench.publish(1, 3);
  std::function<bool()> all = [&bench] {
    return bench.one.recorder.dead.size() == 3 && bench.one.recorder.seen.size() == 3;
  };
  co_await until(all, "three dead letters");
  co_await bench.until_nothing_pending();
  const Recorder::Dead& first = bench.one.recorder.dead[0];
  EXPECT_EQ(first.entry.event.type, "poison");
  EXPECT_LT(first.entry.event.id, 0);
  EXPECT_NE(first.entry.event.id, bench.one.recorder.dead[1].entry.event.id);
  EXPECT_EQ(first.entry.event.payload,
            "{\"fields\":[\"type\",\"alert\",\"data\",\"{}\",\"ts\",\"soon\",\"id\",\"5\"]}");
  EXPECT_EQ(bench.one.recorder.dead[2].entry.event.id, 2);
  co_await bench.finish();
}

CORO_TEST(StreamConsumer, AnOutageOfTheHandlerUsesUpNoDeliveries) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.one.recorder.failures_left = 4;  // More than deliveries_max.
  bench.one.start();
  (void)co_await bench.publish(1, 2);
  std::function<bool()> troubled = [&bench] {
    return bench.one.consumer.health().state == telemetry::HealthState::degraded;
  };
  co_await until(troubled, "the trouble to show in health");
  co_await bench.until_seen(2);
  co_await bench.until_nothing_pending();
  EXPECT_TRUE(bench.one.recorder.dead.empty());
  EXPECT_EQ(bench.one.consumer.health().state, telemetry::HealthState::ok);
  co_await bench.finish();
}

CORO_TEST(StreamConsumer, AnyOtherFailureLeavesTheBatchForLaterAndIsolatesItsEntries) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.one.recorder.failure = Errc::internal;
  bench.one.recorder.failures_left = 2;
  (void)co_await bench.publish(1, 3);
  bench.one.start();
  co_await bench.until_seen(3);
  co_await bench.until_nothing_pending();
  // Together at first and once more, then one by one.
  EXPECT_EQ(bench.one.recorder.batch_sizes, (std::vector<std::size_t>{3, 3, 1, 1, 1}));
  co_await bench.finish();
}

CORO_TEST(StreamConsumer, ACleanStopLeavesNoNameBehind) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  stream::Options options = quick_options(unique_prefix());
  options.consumer.clear();
  StreamBench bench(executor, redis_options(), options);
  co_await until_connected(*bench.redis.client);
  bench.one.start();
  co_await bench.publish_and_see(1, 1);
  co_await bench.until_nothing_pending();
  std::string look = "XINFO CONSUMERS " + options.alerts_key + " " + options.group;
  Result<redis::Reply> during = co_await bench.redis.ask(look);
  EXPECT_EQ(during->array()->size(), 1U);
  const auto started = std::chrono::steady_clock::now();
  co_await bench.one.finish();
  EXPECT_LT(std::chrono::steady_clock::now() - started, 1s);
  Result<redis::Reply> after = co_await bench.redis.ask(look);
  EXPECT_TRUE(after->array()->empty());
  co_await bench.redis.finish();
}

}  // namespace
}  // namespace sensus::test
