#include "integration/stream/stream_fixture.hpp"
#include "sensus/pg/database.hpp"
#include "sensus/relay/relay.hpp"
#include "sensus/storage/outbox.hpp"

namespace sensus::test {
namespace {
namespace asio = boost::asio;

/// The outbox with a relay that is slow to mark: the first mark waits until the consumer has put
/// its row back.
class LateMark final : public storage::Outbox {
 public:
  explicit LateMark(storage::Outbox& real) : real_(real) {}
  bool deferred = false;
  int marks = 0;

  runtime::Async<> mark_published(Deadline deadline, std::vector<Published> rows) override {
    ++marks;
    std::function<bool()> put_back = [this] { return deferred; };
    co_await until(put_back, "the consumer to put the row back");
    Result<> marked = co_await real_.mark_published(deadline, std::move(rows));
    co_return marked;
  }
  runtime::Async<> defer(Deadline deadline, EventId id, std::string stream_id,
                         std::chrono::milliseconds rest) override {
    Result<> done = co_await real_.defer(deadline, id, std::move(stream_id), rest);
    deferred = true;
    co_return done;
  }
  runtime::Async<std::vector<model::Event>> claim(Deadline deadline, std::size_t limit,
                                                  std::chrono::milliseconds lease) override {
    return real_.claim(deadline, limit, lease);
  }
  runtime::Async<> release(Deadline deadline, std::vector<EventId> ids,
                           std::chrono::milliseconds retry_after) override {
    return real_.release(deadline, std::move(ids), retry_after);
  }
  runtime::Async<std::vector<Published>> unfinished(Deadline deadline,
                                                    std::chrono::milliseconds older_than,
                                                    std::size_t limit) override {
    return real_.unfinished(deadline, older_than, limit);
  }
  runtime::Async<std::size_t> republish(Deadline deadline, std::vector<EventId> ids) override {
    return real_.republish(deadline, std::move(ids));
  }
  runtime::Async<std::size_t> republish_topic(Deadline deadline, model::Topic topic) override {
    return real_.republish_topic(deadline, topic);
  }
  runtime::Async<> finish(Deadline deadline, std::vector<EventId> ids) override {
    return real_.finish(deadline, std::move(ids));
  }
  runtime::Async<Stats> stats(Deadline deadline) override { return real_.stats(deadline); }

 private:
  storage::Outbox& real_;
};

/// Relay and a consumer of explanations that puts a row back the first time and finishes it the
/// second. Nothing else mends what goes wrong between the two: the reconciler looks once a day.
struct DeferralBench {
  explicit DeferralBench(const runtime::Executor& executor)
      : options(quick_options(unique_prefix())),
        pg(executor, database.options(), {}, metrics),
        real(storage::make_outbox(pg)),
        outbox(*real),
        redis(executor, redis_options()),
        publisher(*redis.client, options, {}, metrics),
        relay(executor, outbox, publisher, patient(), {}, metrics),
        tasks(executor, {}),
        consumer(
            stream::Consumer::Deps{executor, redis_options(), {}, metrics}, options,
            model::Topic::explanations,
            [this](std::vector<Entry> batch) { return handle(this, std::move(batch)); },
            [](Entry, std::int64_t, std::string) { return refuse(); }, [] {}) {
    tasks.spawn("relay", relay.run());
    tasks.spawn("consumer", consumer.run());
  }

  static relay::Options patient() {
    relay::Options options;
    options.poll_interval = 100ms;
    options.lease = 1h;
    options.reconcile_interval = 1h;
    options.reconcile_age = 24h;
    return options;
  }
  static runtime::Async<std::vector<Disposition>> handle(DeferralBench* self,
                                                         std::vector<Entry> batch) {
    for (const Entry& entry : batch) {
      const Deadline deadline = Deadline::after(3s);
      std::vector<EventId> ids(1, entry.event.id);
      std::string stream_id = entry.stream_id;
      Result<> done;
      if (++self->deliveries == 1) {
        done = co_await self->outbox.defer(deadline, entry.event.id, std::move(stream_id), 50ms);
      } else {
        done = co_await self->outbox.finish(deadline, std::move(ids));
      }
      EXPECT_TRUE(done);
    }
    co_return std::vector<Disposition>(batch.size(), Disposition::ack);
  }
  static runtime::Async<> refuse() {
    co_return make_error(Errc::internal, "nothing here is a dead letter");
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
  std::unique_ptr<storage::Outbox> real;
  LateMark outbox;
  RedisBench redis;
  stream::Publisher publisher;
  relay::Relay relay;
  runtime::TaskGroup tasks;
  stream::Consumer consumer;
  int deliveries = 0;
};

CORO_TEST(RelayDeferral, ARowPutBackBeforeItsMarkIsPublishedAgain) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  DeferralBench bench(executor);
  co_await until_connected(*bench.redis.client);
  bench.database.admin(
      "insert into sensus.outbox (tenant_id, topic, type, payload) values (1, 'explanations', "
      "'explain', '{}')");
  bench.relay.wake();
  std::function<bool()> twice = [&bench] { return bench.deliveries >= 2; };
  co_await until(twice, "the second delivery");
  std::function<bool()> gone = [&bench] {
    return bench.database.admin_value("select count(*) from sensus.outbox") == "0";
  };
  co_await until(gone, "the row to go");
  EXPECT_EQ(bench.deliveries, 2);
  EXPECT_EQ(bench.outbox.marks, 2);
  co_await bench.finish();
}

}  // namespace
}  // namespace sensus::test
