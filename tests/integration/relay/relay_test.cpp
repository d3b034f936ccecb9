#include "sensus/relay/relay.hpp"

#include "integration/stream/stream_fixture.hpp"
#include "sensus/pg/database.hpp"

#include <chrono>
#include <cstdio>
#include <map>

namespace sensus::test {
namespace {
namespace asio = boost::asio;

relay::Options quick_relay() {
  relay::Options options;
  options.poll_interval = 200ms;
  options.reconcile_interval = 200ms;
  options.reconcile_age = 500ms;
  return options;
}

/// Outbox in PostgreSQL, relay, Redis, and a consumer of alerts that finishes what it gets.
struct RelayBench {
  RelayBench(const runtime::Executor& executor, const redis::Options& redis_at)
      : options(quick_options(unique_prefix())),
        pg(executor, database.options(), {}, metrics),
        outbox(storage::make_outbox(pg)),
        redis(executor, redis_at),
        publisher(*redis.client, options, {}, metrics),
        relay(executor, *outbox, publisher, quick_relay(), {}, metrics),
        tasks(executor, {}),
        consumer(
            stream::Consumer::Deps{executor, redis_at, {}, metrics}, options, model::Topic::alerts,
            [this](std::vector<Entry> batch) { return handle(this, std::move(batch)); },
            [](Entry, std::int64_t, std::string) { return refuse(); },
            [this] { relay.republish(model::Topic::alerts); }) {
    tasks.spawn("relay", relay.run());
    tasks.spawn("reconciler", relay.run_reconciler());
  }
  void start_consumer() { tasks.spawn("consumer", consumer.run()); }

  static runtime::Async<std::vector<Disposition>> handle(RelayBench* self,
                                                         std::vector<Entry> batch) {
    std::vector<EventId> ids;
    for (const Entry& entry : batch) {
      ids.push_back(entry.event.id);
    }
    const Deadline deadline = Deadline::after(3s);
    Result<> finished = co_await self->outbox->finish(deadline, ids);
    if (!finished) {
      co_return std::move(finished).error();
    }
    for (const EventId id : ids) {
      ++self->handled[id];
    }
    co_return std::vector<Disposition>(batch.size(), Disposition::ack);
  }
  static runtime::Async<> refuse() {
    co_return make_error(Errc::internal, "nothing here is a dead letter");
  }

  void insert(int count, const std::string& topic = "alerts") {
    database.admin("insert into sensus.outbox (tenant_id, topic, type, payload) select 1, '" +
                   topic + "', 'alert', '{\"alert_id\":' || n || '}' from generate_series(1, " +
                   std::to_string(count) + ") n");
    relay.wake();
  }
  [[nodiscard]] int rows(const std::string& where = "true") {
    return std::stoi(database.admin_value("select count(*) from sensus.outbox where " + where));
  }
  [[nodiscard]] runtime::Task until_handled(std::size_t count) {
    std::function<bool()> enough = [this, count] { return handled.size() >= count; };
    co_await until(enough, std::to_string(count) + " events handled");
  }
  [[nodiscard]] runtime::Task until_published(int count) {
    std::function<bool()> enough = [this, count] {
      return rows("published_at is not null") == count;
    };
    co_await until(enough, std::to_string(count) + " published rows");
  }
  [[nodiscard]] runtime::Task until_health(telemetry::HealthState state) {
    std::function<bool()> shown = [this, state] { return relay.health().state == state; };
    co_await until(shown, "the relay's health");
  }
  [[nodiscard]] runtime::Task finish() {
    consumer.stop();
    relay.stop();
    Result<> stopped = co_await tasks.stop(5s);
    EXPECT_TRUE(stopped);
    co_await redis.finish();
    pg.close_blocking();
  }

  TestDatabase database;
  telemetry::Metrics metrics;
  stream::Options options;
  pg::Database pg;
  std::unique_ptr<storage::Outbox> outbox;
  RedisBench redis;
  stream::Publisher publisher;
  relay::Relay relay;
  runtime::TaskGroup tasks;
  stream::Consumer consumer;
  std::map<EventId, int> handled;
};

CORO_TEST(RelayOutbox, EveryRowReachesItsConsumerOnceAndGoes) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  RelayBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.start_consumer();
  // A group that is made asks for the topic to be published again; that must be over.
  bench.insert(1);
  co_await bench.until_handled(1);
  (void)co_await runtime::sleep(100ms);
  bench.handled.clear();
  const double before = series_value(bench.metrics, "sensus_outbox_published_total");
  const auto started = std::chrono::steady_clock::now();
  bench.insert(3000);
  co_await bench.until_handled(3000);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  std::printf("3000 rows from outbox to committed effect in %.3f s\n", took.count());
  EXPECT_EQ(bench.rows(), 0);
  for (const auto& [id, times] : bench.handled) {
    EXPECT_EQ(times, 1) << id;
  }
  EXPECT_EQ(series_value(bench.metrics, "sensus_outbox_published_total") - before, 3000);
  co_await bench.finish();
}

CORO_TEST(RelayOutbox, AnIdleRowIsHandledAtOnce) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  RelayBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.start_consumer();
  bench.insert(1);
  co_await bench.until_handled(1);
  double least = 1e9;
  for (std::size_t i = 2; i <= 8; ++i) {
    (void)co_await runtime::sleep(20ms);
    bench.database.admin(
        "insert into sensus.outbox (tenant_id, topic, type, payload) values (1, 'alerts', 'alert', "
        "'{}')");
    const auto started = std::chrono::steady_clock::now();
    bench.relay.wake();
    co_await bench.until_handled(i);
    least = std::min(
        least, std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  }
  std::printf("one row from wake-up to committed effect in %.1f ms at best\n", least * 1000);
  EXPECT_LT(least, 0.1);  // Not the poll interval.
  co_await bench.finish();
}

CORO_TEST(RelayOutbox, EventsWithoutAGroupGoWhenPublished) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  RelayBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.insert(10, "events");
  std::function<bool()> published = [&bench] {
    return series_value(bench.metrics, "sensus_outbox_published_total") == 10;
  };
  co_await until(published, "ten published rows");
  std::function<bool()> gone = [&bench] { return bench.rows() == 0; };
  co_await until(gone, "the rows to go");
  co_await bench.finish();
}

CORO_TEST(RelayOutbox, RowsWaitWhileRedisIsAwayAndAllArriveAfterwards) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  RelayBench bench(executor, server.options());
  co_await until_connected(*bench.redis.client);
  bench.start_consumer();
  bench.insert(100);
  co_await bench.until_handled(100);
  server.kill();
  bench.insert(500);
  co_await bench.until_health(telemetry::HealthState::degraded);
  EXPECT_EQ(bench.rows(), 500);
  std::function<bool()> counted = [&bench] {
    return series_value(bench.metrics, "sensus_outbox_pending") == 500;
  };
  co_await until(counted, "the gauge of waiting rows");
  server.start();
  co_await bench.until_handled(600);
  EXPECT_EQ(bench.rows(), 0);
  co_await bench.until_health(telemetry::HealthState::ok);
  co_await bench.finish();
}

CORO_TEST(RelayOutbox, WhatAFlushTookIsPublishedAgain) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  RelayBench bench(executor, server.options());
  co_await until_connected(*bench.redis.client);
  bench.insert(50);
  co_await bench.until_published(50);
  (void)co_await bench.redis.ask("FLUSHALL");
  bench.start_consumer();
  co_await bench.until_handled(50);
  EXPECT_EQ(bench.rows(), 0);
  EXPECT_GE(series_value(bench.metrics, "sensus_outbox_republished_total"), 50);
  co_await bench.finish();
}

CORO_TEST(RelayOutbox, AFlushInTheMiddleOfWorkLosesNothing) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  RelayBench bench(executor, server.options());
  co_await until_connected(*bench.redis.client);
  bench.start_consumer();
  for (int i = 0; i < 3; ++i) {
    bench.insert(400);
    co_await bench.until_handled(static_cast<std::size_t>(i) * 400 + 100);
    (void)co_await bench.redis.ask("FLUSHALL");
  }
  co_await bench.until_handled(1200);
  EXPECT_EQ(bench.rows(), 0);
  co_await bench.finish();
}

CORO_TEST(RelayOutbox, TheReconcilerFindsASingleLostEntry) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  RelayBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  bench.insert(3);
  co_await bench.until_published(3);
  const std::string id = bench.database.admin_value(
      "select stream_id from sensus.outbox order by id offset 1 limit 1");
  (void)co_await bench.redis.ask("XDEL " + bench.options.alerts_key + " " + id);
  std::function<bool()> again = [&bench] {
    return series_value(bench.metrics, "sensus_outbox_republished_total") == 1;
  };
  co_await until(again, "one row published again");
  // The others are where they were: nothing is published twice without need.
  (void)co_await runtime::sleep(600ms);
  EXPECT_EQ(series_value(bench.metrics, "sensus_outbox_republished_total"), 1);
  co_await bench.finish();
}

}  // namespace
}  // namespace sensus::test
