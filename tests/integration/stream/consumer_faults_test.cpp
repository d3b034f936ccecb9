#include "stream_fixture.hpp"

namespace sensus::test {
namespace {
namespace asio = boost::asio;

CORO_TEST(StreamFaults, EntriesOfADeadConsumerAreTakenOver) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  co_await bench.make_group();
  (void)co_await bench.publish(1, 25);
  co_await bench.read_as("dead", 25);
  bench.one.start();
  co_await bench.until_seen(25);
  co_await bench.until_nothing_pending();
  EXPECT_EQ(bench.one.value("sensus_stream_claimed_total", bench.options.alerts_key), 25);
  EXPECT_EQ(bench.one.recorder.lost, 0);
  co_await bench.finish();
}

CORO_TEST(StreamFaults, ARestartBeginsWithWhatItLeftPending) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  stream::Options options = quick_options(unique_prefix());
  options.claim_idle = 60s;  // So that only its own history can bring them back.
  StreamBench bench(executor, redis_options(), options);
  co_await until_connected(*bench.redis.client);
  co_await bench.make_group();
  (void)co_await bench.publish(1, 12);
  co_await bench.read_as("one", 11);
  bench.one.start();
  co_await bench.until_seen(12);
  EXPECT_EQ(bench.one.recorder.seen.back().event.id, 12);
  co_await bench.until_nothing_pending();
  co_await bench.finish();
}

CORO_TEST(StreamFaults, ASlowHandlerIsNotTakenForADeadConsumer) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.one.recorder.work = 4 * bench.options.claim_idle;
  bench.one.start();
  (void)co_await bench.publish(1, 1);
  std::function<bool()> working = [&bench] { return bench.one.recorder.batch_sizes.size() == 1; };
  co_await until(working, "the slow handler to begin");
  stream::Options other = bench.options;
  other.consumer = "two";
  ConsumerBench two(executor, redis_options(), other);
  two.start();
  co_await bench.until_seen(1);
  co_await bench.until_nothing_pending();
  EXPECT_TRUE(two.recorder.seen.empty());
  EXPECT_EQ(bench.one.recorder.count(1), 1);
  co_await two.finish();
  co_await bench.finish();
}

CORO_TEST(StreamFaults, AStreamDeletedUnderABlockedReadIsMadeAgain) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  stream::Options options = quick_options(unique_prefix());
  options.block = 3s;
  options.claim_idle = 60s;
  StreamBench bench(executor, redis_options(), options);
  co_await until_connected(*bench.redis.client);
  bench.one.start();
  co_await bench.publish_and_see(1, 1);
  (void)co_await runtime::sleep(50ms);
  EXPECT_EQ(bench.one.recorder.lost, 1);
  (void)co_await bench.redis.ask("DEL " + options.alerts_key);
  std::function<bool()> told = [&bench] { return bench.one.recorder.lost == 2; };
  co_await until(told, "on_lost");
  co_await bench.publish_and_see(2, 1);
  EXPECT_EQ(bench.one.value("sensus_stream_group_recreated_total", options.alerts_key), 2);
  co_await bench.finish();
}

CORO_TEST(StreamFaults, FlushAndRestartOfTheServer) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  StreamBench bench(executor, server.options());
  co_await until_connected(*bench.redis.client);
  bench.one.start();
  co_await bench.publish_and_see(1, 1);
  (void)co_await bench.redis.ask("FLUSHALL");
  std::function<bool()> flushed = [&bench] { return bench.one.recorder.lost == 2; };
  co_await until(flushed, "on_lost after FLUSHALL");
  server.kill();
  std::function<bool()> away = [&bench] {
    return bench.one.consumer.health().state == telemetry::HealthState::failed;
  };
  co_await until(away, "health to show that Redis is away");
  server.start();
  std::function<bool()> restarted = [&bench] { return bench.one.recorder.lost == 3; };
  co_await until(restarted, "on_lost after the restart");
  co_await until_connected(*bench.redis.client);
  co_await bench.publish_and_see(2, 1);
  EXPECT_EQ(bench.one.consumer.health().state, telemetry::HealthState::ok);
  co_await bench.finish();
}

CORO_TEST(StreamFaults, EntriesTrimmedUnreadAreFoundByLagOnce) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  co_await bench.make_group();
  (void)co_await bench.publish(1, 4);
  (void)co_await bench.redis.ask("XTRIM " + bench.options.alerts_key + " MAXLEN 0");
  bench.one.start();
  std::function<bool()> told = [&bench] { return bench.one.recorder.lost == 1; };
  co_await until(told, "on_lost");
  EXPECT_EQ(bench.one.value("sensus_stream_lost_entries_total", bench.options.alerts_key), 4);
  (void)co_await runtime::sleep(5 * bench.options.block);
  EXPECT_EQ(bench.one.recorder.lost, 1);
  // The stream works on, and the lag is right again.
  (void)co_await bench.publish(5, 2);
  co_await bench.until_seen(2);
  Result<redis::Reply> groups =
      co_await bench.redis.ask("XINFO GROUPS " + bench.options.alerts_key);
  EXPECT_EQ(*groups->array()->front().array()->back().integer(), 0);
  co_await bench.finish();
}

CORO_TEST(StreamFaults, EntriesTrimmedWhilePendingAreForgottenAndReported) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  co_await bench.make_group();
  (void)co_await bench.publish(1, 3);
  co_await bench.read_as("one", 2);
  co_await bench.read_as("dead", 1);
  (void)co_await bench.redis.ask("XTRIM " + bench.options.alerts_key + " MAXLEN 0");
  bench.one.start();
  std::function<bool()> told = [&bench] {
    return bench.one.value("sensus_stream_lost_entries_total", bench.options.alerts_key) == 3;
  };
  co_await until(told, "three lost entries");
  EXPECT_EQ(bench.one.recorder.lost, 2);  // Its own history, and the third part of XAUTOCLAIM.
  EXPECT_TRUE(bench.one.recorder.seen.empty());
  co_await bench.until_nothing_pending();
  co_await bench.finish();
}

CORO_TEST(StreamFaults, AFullServerStillLetsConsumersDrain) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  StreamBench bench(executor, server.options());
  co_await until_connected(*bench.redis.client);
  co_await bench.make_group();
  (void)co_await bench.publish(1, 5);
  bench.one.recorder.decide = [](const Entry& entry) {
    return entry.event.id == 3 ? Disposition::dead_letter : Disposition::ack;
  };
  (void)co_await bench.redis.ask("CONFIG SET maxmemory 1");
  bench.one.start();
  co_await bench.until_seen(5);
  co_await bench.until_nothing_pending();  // Also the dead letter, whose copy Redis refuses.
  EXPECT_EQ(bench.one.recorder.dead.size(), 1U);
  co_await bench.finish();
}

}  // namespace
}  // namespace sensus::test
