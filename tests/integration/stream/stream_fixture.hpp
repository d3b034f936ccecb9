#pragma once

#include "sensus/stream/consumer.hpp"
#include "sensus/stream/publisher.hpp"
#include "support/coro_test.hpp"
#include "support/redis_bench.hpp"
#include "support/services.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sensus::test {

using namespace std::chrono_literals;
using stream::Disposition;
using stream::Entry;

/// Own keys, and waits short enough for a test.
inline stream::Options quick_options(const std::string& prefix) {
  stream::Options options;
  options.metrics_key = prefix + "metrics";
  options.alerts_key = prefix + "alerts";
  options.explanations_key = prefix + "explanations";
  options.events_key = prefix + "events";
  options.consumer = "one";
  options.block = 100ms;
  options.claim_idle = 300ms;
  options.deliveries_max = 3;
  return options;
}

inline std::vector<model::Event> make_events(model::Topic topic, EventId first, int count) {
  std::vector<model::Event> events;
  for (int i = 0; i < count; ++i) {
    model::Event event;
    event.id = first + i;
    event.topic = topic;
    event.type = "alert";
    event.payload = "{\"n\":" + std::to_string(first + i) + "}";
    event.created_at =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    events.push_back(std::move(event));
  }
  return events;
}

/// A handler and a sink that write down what they get. `decide` rules; without it everything is
/// acknowledged.
struct Recorder {
  std::vector<Entry> seen;
  std::vector<std::size_t> batch_sizes;
  struct Dead {
    Entry entry;
    std::int64_t deliveries;
    std::string reason;
  };
  std::vector<Dead> dead;
  int lost = 0;
  int failures_left = 0;
  Errc failure = Errc::unavailable;
  bool sink_broken = false;
  Duration work{0};
  std::function<Disposition(const Entry&)> decide;

  [[nodiscard]] int count(EventId id) const {
    int n = 0;
    for (const Entry& entry : seen) {
      n += entry.event.id == id ? 1 : 0;
    }
    return n;
  }

  static runtime::Async<std::vector<Disposition>> handle(Recorder* self, std::vector<Entry> batch) {
    self->batch_sizes.push_back(batch.size());
    if (self->work > Duration::zero()) {
      (void)co_await runtime::sleep(self->work);
    }
    if (self->failures_left > 0) {
      --self->failures_left;
      co_return make_error(self->failure, "told to fail");
    }
    std::vector<Disposition> dispositions;
    for (const Entry& entry : batch) {
      self->seen.push_back(entry);
      dispositions.push_back(self->decide ? self->decide(entry) : Disposition::ack);
    }
    co_return dispositions;
  }
  static runtime::Async<> bury(Recorder* self, Entry entry, std::int64_t deliveries,
                               std::string reason) {
    if (self->sink_broken) {
      co_return make_error(Errc::unavailable, "PostgreSQL is away");
    }
    self->dead.push_back(Dead{std::move(entry), deliveries, std::move(reason)});
    co_return Result<>{};
  }
};

/// A consumer with its recorder, running.
struct ConsumerBench {
  ConsumerBench(const runtime::Executor& executor, const redis::Options& redis,
                const stream::Options& options, std::function<bool()> holds = {})
      : tasks(executor, {}),
        consumer(
            stream::Consumer::Deps{executor, redis, {}, metrics, std::move(holds)}, options, model::Topic::alerts,
            [this](std::vector<Entry> batch) {
              return Recorder::handle(&recorder, std::move(batch));
            },
            [this](Entry entry, std::int64_t deliveries, std::string reason) {
              return Recorder::bury(&recorder, std::move(entry), deliveries, std::move(reason));
            },
            [this] { ++recorder.lost; }) {}
  void start() { tasks.spawn("consumer", consumer.run()); }
  [[nodiscard]] runtime::Task finish() {
    consumer.stop();
    Result<> stopped = co_await tasks.stop(5s);
    EXPECT_TRUE(stopped);
  }
  [[nodiscard]] double value(const std::string& family, const std::string& key) const {
    return series_value(metrics, family + "{stream=\"" + key + "\"}");
  }
  telemetry::Metrics metrics;
  Recorder recorder;
  runtime::TaskGroup tasks;
  stream::Consumer consumer;
};

/// Redis, keys of its own, a publisher and a first consumer (not started).
struct StreamBench {
  StreamBench(const runtime::Executor& executor, const redis::Options& redis_at,
              const stream::Options& o)
      : options(o),
        redis(executor, redis_at),
        publisher(*redis.client, options, {}, redis.metrics),
        one(executor, redis_at, options) {}
  StreamBench(const runtime::Executor& executor, const redis::Options& redis_at)
      : StreamBench(executor, redis_at, quick_options(unique_prefix())) {}

  [[nodiscard]] runtime::Async<std::vector<std::string>> publish(
      EventId first, int count, model::Topic topic = model::Topic::alerts) {
    std::vector<model::Event> events = make_events(topic, first, count);
    const Deadline deadline = Deadline::after(3s);
    Result<std::vector<std::string>> ids = co_await publisher.publish(deadline, std::move(events));
    EXPECT_TRUE(ids) << ids.error().message;
    co_return ids;
  }
  /// Entries of the group that are pending.
  [[nodiscard]] runtime::Async<std::int64_t> pending() {
    std::string command = "XPENDING " + options.alerts_key + " " + options.group;
    Result<redis::Reply> reply = co_await redis.ask(std::move(command));
    co_return reply && reply->array() != nullptr ? *(*reply->array())[0].integer() : -1;
  }
  [[nodiscard]] runtime::Async<std::int64_t> number(std::string command) {
    Result<redis::Reply> reply = co_await redis.ask(std::move(command));
    co_return reply && reply->integer() != nullptr ? *reply->integer() : -1;
  }
  [[nodiscard]] runtime::Task make_group() {
    std::string command =
        "XGROUP CREATE " + options.alerts_key + " " + options.group + " 0 MKSTREAM ENTRIESREAD 0";
    (void)co_await redis.ask(std::move(command));
  }
  /// Reads as `consumer`, and never acknowledges.
  [[nodiscard]] runtime::Task read_as(std::string consumer, int count) {
    std::string command = "XREADGROUP GROUP " + options.group + " " + consumer + " COUNT " +
                          std::to_string(count) + " STREAMS " + options.alerts_key + " >";
    (void)co_await redis.ask(std::move(command));
  }
  [[nodiscard]] runtime::Task until_seen(std::size_t count) {
    std::function<bool()> enough = [this, count] { return one.recorder.seen.size() >= count; };
    co_await until(enough, std::to_string(count) + " entries handled");
  }
  [[nodiscard]] runtime::Task until_nothing_pending() {
    const Deadline limit = Deadline::after(10s);
    while (!limit.expired()) {
      Result<std::int64_t> left = co_await pending();
      if (left && *left == 0) {
        co_return;
      }
      (void)co_await runtime::sleep(10ms);
    }
    ADD_FAILURE() << "entries stay pending";
  }

  [[nodiscard]] runtime::Task publish_and_see(EventId first, int count) {
    const std::size_t before = one.recorder.seen.size();
    (void)co_await publish(first, count);
    co_await until_seen(before + static_cast<std::size_t>(count));
  }
  [[nodiscard]] runtime::Task finish() {
    co_await one.finish();
    co_await redis.finish();
  }

  stream::Options options;
  RedisBench redis;
  stream::Publisher publisher;
  ConsumerBench one;
};

}  // namespace sensus::test
