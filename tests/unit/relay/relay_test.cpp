#include "sensus/relay/relay.hpp"

#include "fake_outbox.hpp"
#include "sensus/runtime/task_group.hpp"
#include "support/coro_test.hpp"
#include "unit/redis/fake_server.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <set>

namespace sensus::relay::test {
namespace {
namespace asio = boost::asio;
using namespace std::chrono_literals;
using redis::Command;
using redis::test::FakeServer;

/// What a Redis would keep of XADD and answer to XRANGE.
struct FakeStreams {
  std::set<std::string> ids;
  int next = 1;
  bool full = false;

  std::string answer(const Command& command) {
    if (const char* greeting = FakeServer::greet(command)) {
      return greeting;
    }
    if (command[0] == "XADD") {
      return full ? "-OOM command not allowed when used memory > 'maxmemory'.\r\n" : add();
    }
    const bool there = command[0] == "XRANGE" && ids.contains(command[2]);
    return there ? "*1\r\n*2\r\n$3\r\n1-0\r\n*0\r\n" : "*0\r\n";
  }

 private:
  std::string add() {
    const std::string id = std::to_string(next++) + "-0";
    ids.insert(id);
    return "$" + std::to_string(id.size()) + "\r\n" + id + "\r\n";
  }
};

struct Bench {
  explicit Bench(const runtime::Executor& executor)
      : server(executor, [this](const Command& command) { return streams.answer(command); }),
        client(executor, "relay", server.options(), {}, metrics),
        publisher(client, {}, {}, metrics),
        relay(executor, outbox, publisher, quick(), {}, metrics),
        tasks(executor, {}) {
    tasks.spawn("client", client.run());
    tasks.spawn("relay", relay.run());
    tasks.spawn("reconciler", relay.run_reconciler());
  }
  static Options quick() {
    Options options;
    options.batch = 10;
    options.poll_interval = 20s;  // Only wake-ups move rows in these tests.
    options.reconcile_interval = 30ms;
    return options;
  }
  void add(EventId id, model::Topic topic = model::Topic::alerts) {
    outbox.add(id, topic);
    relay.wake();
  }
  telemetry::Metrics metrics;
  FakeOutbox outbox;
  FakeStreams streams;
  FakeServer server;
  redis::Client client;
  stream::Publisher publisher;
  Relay relay;
  runtime::TaskGroup tasks;
};

/// The condition is a plain callable: no capture lives in a coroutine's full expression.
runtime::Task until(std::function<bool()> condition) {
  const Deadline limit = Deadline::after(5s);
  while (!condition() && !limit.expired()) {
    (void)co_await runtime::sleep(2ms);
  }
  EXPECT_TRUE(condition());
}

runtime::Task finish(Bench& bench) {
  bench.relay.stop();
  bench.client.stop();
  Result<> stopped = co_await bench.tasks.stop(2s);
  EXPECT_TRUE(stopped);
}

bool has_series(const telemetry::Metrics& metrics, const std::string& line) {
  return metrics.render().find("\n" + line + "\n") != std::string::npos;
}

CORO_TEST(Relay, PublishesWhatIsThereAtStartAndAfterAWakeUp) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Bench bench(executor);
  for (EventId id = 1; id <= 35; ++id) {
    bench.add(id);
  }
  std::function<bool()> all = [&bench] { return bench.outbox.count_published() == 35; };
  co_await until(all);
  EXPECT_EQ(bench.streams.ids.size(), 35U);
  EXPECT_EQ(bench.outbox.rows[1].stream_id, "1-0");
  bench.add(36);
  std::function<bool()> one_more = [&bench] { return bench.outbox.count_published() == 36; };
  co_await until(one_more);
  EXPECT_TRUE(has_series(bench.metrics, "sensus_outbox_published_total 36"));
  EXPECT_EQ(bench.relay.health().state, telemetry::HealthState::ok);
  co_await finish(bench);
}

CORO_TEST(Relay, RefusedRowsAreGivenBackAndPublishedLater) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Bench bench(executor);
  bench.streams.full = true;
  bench.add(1);
  std::function<bool()> refused = [&bench] {
    return bench.relay.health().reason.find("OOM") != std::string::npos;
  };
  co_await until(refused);
  EXPECT_EQ(bench.relay.health().state, telemetry::HealthState::degraded);
  EXPECT_EQ(bench.outbox.count_published(), 0U);
  EXPECT_GE(bench.outbox.releases, 1);
  bench.streams.full = false;
  std::function<bool()> published = [&bench] { return bench.outbox.count_published() == 1; };
  co_await until(published);
  std::function<bool()> well = [&bench] {
    return bench.relay.health().state == telemetry::HealthState::ok;
  };
  co_await until(well);
  co_await finish(bench);
}

CORO_TEST(Relay, BrokenOutboxIsTriedAgainWithBackoff) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Bench bench(executor);
  bench.outbox.broken = true;
  bench.add(1);
  (void)co_await runtime::sleep(200ms);
  EXPECT_LE(bench.outbox.claims, 6);
  EXPECT_EQ(bench.relay.health().state, telemetry::HealthState::degraded);
  bench.outbox.broken = false;
  std::function<bool()> published = [&bench] { return bench.outbox.count_published() == 1; };
  co_await until(published);
  co_await finish(bench);
}

CORO_TEST(Relay, ReconcilerPublishesAgainWhatIsInNoStream) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Bench bench(executor);
  bench.add(1);
  bench.add(2);
  std::function<bool()> both = [&bench] { return bench.outbox.count_published() == 2; };
  co_await until(both);
  bench.streams.ids.erase(bench.outbox.rows[2].stream_id);
  std::function<bool()> again = [&bench] { return bench.outbox.rows[2].stream_id == "3-0"; };
  co_await until(again);
  EXPECT_EQ(bench.outbox.rows[1].stream_id, "1-0");
  EXPECT_TRUE(has_series(bench.metrics, "sensus_outbox_republished_total 1"));
  co_await finish(bench);
}

CORO_TEST(Relay, ATopicThatLostItsStreamIsPublishedAgainWhole) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Bench bench(executor);
  bench.add(1, model::Topic::alerts);
  bench.add(2, model::Topic::metrics);
  std::function<bool()> both = [&bench] { return bench.outbox.count_published() == 2; };
  co_await until(both);
  bench.outbox.broken = true;
  bench.relay.republish(model::Topic::alerts);
  (void)co_await runtime::sleep(20ms);
  EXPECT_EQ(bench.streams.next, 3);
  bench.outbox.broken = false;  // The wish outlives the outage.
  std::function<bool()> again = [&bench] { return bench.outbox.rows[1].stream_id == "3-0"; };
  co_await until(again);
  EXPECT_EQ(bench.outbox.rows[2].stream_id, "2-0");
  co_await finish(bench);
}

CORO_TEST(Relay, StatisticsBecomeGauges) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Bench bench(executor);
  bench.streams.full = true;
  bench.add(1);
  std::function<bool()> shown = [&bench] {
    return has_series(bench.metrics, "sensus_outbox_pending 1");
  };
  bench.relay.republish(model::Topic::events);  // Wakes the reconciler, which counts first.
  co_await until(shown);
  EXPECT_TRUE(has_series(bench.metrics, "sensus_outbox_oldest_age_seconds 12.5"));
  co_await finish(bench);
}

}  // namespace
}  // namespace sensus::relay::test
