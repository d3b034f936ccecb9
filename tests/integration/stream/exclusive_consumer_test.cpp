#include "stream_fixture.hpp"

namespace sensus::test {
namespace {
namespace asio = boost::asio;

/// A second consumer of the bench's group that shares it with nobody while `held`.
struct Exclusive {
  Exclusive(const runtime::Executor& executor, stream::Options options)
      : bench(executor, redis_options(), named(std::move(options)), [this] { return held; }) {}
  static stream::Options named(stream::Options options) {
    options.consumer = "owner";
    options.claim_idle = 60s;
    options.block = 30s;
    return options;
  }
  bool held = true;
  ConsumerBench bench;
};

CORO_TEST(ExclusiveConsumer, ReadsNothingUntilItIsActiveAndTakesOverAtOnceWhatOthersLeft) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  co_await bench.make_group();
  (void)co_await bench.publish(1, 12);
  co_await bench.read_as("dead", 11);
  Exclusive owner(executor, bench.options);
  owner.bench.start();
  (void)co_await runtime::sleep(200ms);
  EXPECT_TRUE(owner.bench.recorder.seen.empty());
  owner.bench.consumer.set_active(true);
  std::function<bool()> all = [&owner] { return owner.bench.recorder.seen.size() == 12; };
  co_await until(all, "what the dead one had, and what it had not");
  for (EventId id = 1; id <= 12; ++id) {
    EXPECT_EQ(owner.bench.recorder.seen[static_cast<std::size_t>(id - 1)].event.id, id) << "oldest first";
  }
  co_await bench.until_nothing_pending();
  co_await owner.bench.finish();
  co_await bench.redis.finish();
}

CORO_TEST(ExclusiveConsumer, WhoHandsOverFinishesItsBatchAndReadsNoMore) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  Exclusive owner(executor, bench.options);
  owner.bench.recorder.work = 300ms;
  owner.bench.consumer.set_active(true);
  owner.bench.start();
  (void)co_await bench.publish(1, 3);
  std::function<bool()> begun = [&owner] { return !owner.bench.recorder.batch_sizes.empty(); };
  co_await until(begun, "a batch in hand");
  owner.bench.consumer.set_active(false);
  const Deadline soon = Deadline::after(5s);
  const Result<> parked = co_await owner.bench.consumer.wait_parked(soon);
  EXPECT_TRUE(parked);
  EXPECT_FALSE(owner.bench.recorder.seen.empty()) << "what it had in hand is done";
  const std::size_t seen = owner.bench.recorder.seen.size();
  (void)co_await bench.publish(10, 1);
  (void)co_await runtime::sleep(200ms);
  EXPECT_EQ(owner.bench.recorder.seen.size(), seen);
  co_await owner.bench.finish();
  co_await bench.redis.finish();
}

CORO_TEST(ExclusiveConsumer, WhoIsNoLongerTheHolderHandlesNothingAndItsSuccessorAll) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  Exclusive owner(executor, bench.options);
  owner.bench.consumer.set_active(true);
  owner.bench.start();
  (void)co_await bench.publish(1, 1);
  std::function<bool()> one = [&owner] { return owner.bench.recorder.seen.size() == 1; };
  co_await until(one, "it consumes");
  // Its read is blocked in Redis when it ceases to be the holder: what the read brings is not its own any more.
  owner.held = false;
  (void)co_await bench.publish(2, 1);
  const Deadline soon = Deadline::after(5s);
  const Result<> parked = co_await owner.bench.consumer.wait_parked(soon);
  EXPECT_TRUE(parked);
  EXPECT_EQ(owner.bench.recorder.seen.size(), 1U);

  Exclusive successor(executor, bench.options);
  successor.bench.consumer.set_active(true);
  successor.bench.start();
  std::function<bool()> taken = [&successor] { return successor.bench.recorder.count(2) == 1; };
  co_await until(taken, "the successor has it");
  co_await bench.until_nothing_pending();
  co_await owner.bench.finish();
  co_await successor.bench.finish();
  co_await bench.redis.finish();
}

}  // namespace
}  // namespace sensus::test
