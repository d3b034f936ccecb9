#include "sensus/ingest/ingestor.hpp"

#include "support/coro_test.hpp"
#include "support/services.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include <memory>
#include <optional>
#include <string>

namespace sensus::test {
namespace {

/// The daemon's way from an accepted batch to PostgreSQL.
class Rig {
 public:
  Rig(runtime::Executor on, const pg::Options& options, ingest::Options ingest_options = {})
      : executor(on), pg_options(options), options_(ingest_options), database(executor, options, telemetry::Log(), database_metrics) {
    restart();
  }
  /// As after a crash: nothing of the old ingestor is kept.
  void restart() {
    ingestor.reset();
    metrics.push_back(std::make_unique<telemetry::Metrics>());
    telemetry::Metrics& fresh = *metrics.back();
    ingest::Ingestor::Deps deps{executor, storage::make_sample_writer(pg_options, telemetry::Log(), fresh), *samples, *alerts, clock, {}, fresh, [] {}};
    ingestor.emplace(std::move(deps), options_);
    boost::asio::co_spawn(executor, ingestor->run(), [](const std::exception_ptr& failure) { EXPECT_EQ(failure, nullptr); });
  }

  runtime::Executor executor;
  pg::Options pg_options;
  telemetry::Metrics database_metrics;
  std::vector<std::unique_ptr<telemetry::Metrics>> metrics;  ///< The old ones live on: coroutines may still hold them.

 private:
  ingest::Options options_;

 public:
  pg::Database database;
  std::unique_ptr<storage::SampleStore> samples = storage::make_sample_store(database);
  std::unique_ptr<storage::AlertStore> alerts = storage::make_alert_store(database);
  SystemClock clock;
  std::optional<ingest::Ingestor> ingestor;
};

std::string key_of(int series) { return model::encode_series_key("load", model::Labels{{"n", std::to_string(series)}}); }

/// What many senders did together.
struct Tally {
  int senders = 0;  ///< Still at work.
  int accepted = 0;
  int refused = 0;
};

/// Sends `count` single samples of its own, each until it is accepted, as a sender that retries does.
runtime::Task send_singles(Rig* rig, Tally* tally, int sender, int count) {
  ++tally->senders;
  const Timestamp base = rig->clock.now() - std::chrono::hours{1};
  const Deadline limit = Deadline::after(std::chrono::seconds{60});
  for (int i = 0; i < count && !limit.expired();) {
    model::SampleBatch batch;
    batch.append(key_of(sender % 50), base + std::chrono::milliseconds{sender} + std::chrono::seconds{i}, i);
    const auto accepted = co_await rig->ingestor->accept(Deadline::after(std::chrono::seconds{5}), kDefaultTenant, std::move(batch));
    if (accepted) {
      ++tally->accepted;
      ++i;
      continue;
    }
    EXPECT_TRUE(traits_of(accepted.error().code).retryable) << accepted.error().message;
    ++tally->refused;
    static_cast<void>(co_await runtime::sleep(std::chrono::milliseconds{50}));
  }
  --tally->senders;
}

void spawn_senders(Rig& rig, Tally& tally, int senders, int count) {
  for (int sender = 0; sender < senders; ++sender) {
    boost::asio::co_spawn(rig.executor, send_singles(&rig, &tally, sender, count),
                          [](const std::exception_ptr& failure) { EXPECT_EQ(failure, nullptr); });
  }
}

/// Polls: what is waited for happens on other threads and in the database.
#define CO_UNTIL(condition, limit)                                             \
  for (const Deadline until_limit = Deadline::after(limit); !(condition);) {   \
    if (until_limit.expired()) {                                               \
      ADD_FAILURE() << "waited in vain: " << #condition;                       \
      co_return;                                                               \
    }                                                                          \
    static_cast<void>(co_await runtime::sleep(std::chrono::milliseconds{10})); \
  }                                                                            \
  static_assert(true)

CORO_TEST(IngestorItest, EveryAcceptedSampleOf256SendersIsStoredOnce) {
  TestDatabase db;
  Rig rig(co_await boost::asio::this_coro::executor, db.options());
  Tally tally;
  spawn_senders(rig, tally, 256, 20);
  CO_UNTIL(tally.accepted > 0 && tally.senders == 0, 25s);
  EXPECT_EQ(tally.accepted, 256 * 20);
  EXPECT_EQ(tally.refused, 0);
  EXPECT_EQ(db.admin_value("select count(*) from metrics"), "5120");
  EXPECT_EQ(db.admin_value("select sum(cardinality(ts)) from sample_batches"), "5120") << "not even a repeat";
  EXPECT_EQ(db.admin_value("select count(*) from series"), "50");
  EXPECT_LT(std::stoi(db.admin_value("select count(distinct written_at) from sample_batches")), 2000) << "commits are shared";
  const auto stopped = co_await rig.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorItest, AKilledDatabaseCostsNothingThatWasAccepted) {
  PrivatePostgres postgres;
  Rig rig(co_await boost::asio::this_coro::executor, postgres.options());
  Tally tally;
  spawn_senders(rig, tally, 256, 20);
  CO_UNTIL(tally.accepted > 1000, 15s);
  postgres.kill();
  CO_UNTIL(tally.refused >= 256, 15s);
  EXPECT_EQ(rig.ingestor->health().state, telemetry::HealthState::failed);
  postgres.start();
  CO_UNTIL(tally.senders == 0, 25s);
  EXPECT_EQ(tally.accepted, 256 * 20);
  auto admin = postgres.admin();
  EXPECT_EQ(admin.value("select count(*) from sensus.metrics"), "5120");
  EXPECT_EQ(rig.ingestor->health().state, telemetry::HealthState::ok);
  const auto stopped = co_await rig.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorItest, CutSessionsHealWithoutTheSenderDoingMoreThanARetry) {
  TestDatabase db;
  Rig rig(co_await boost::asio::this_coro::executor, db.options());
  Tally tally;
  spawn_senders(rig, tally, 64, 40);
  for (const int threshold : {200, 800, 1400}) {
    CO_UNTIL(tally.accepted > threshold, 15s);
    EXPECT_GT(db.terminate_sessions(), 0U);
  }
  CO_UNTIL(tally.senders == 0, 25s);
  EXPECT_EQ(db.admin_value("select count(*) from metrics"), std::to_string(64 * 40));
  const auto stopped = co_await rig.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorItest, AStepOpenAtACrashIsPublishedAfterIt) {
  TestDatabase db;
  ingest::Options options;
  options.analysis_step = 2000ms;
  options.step_grace = 500ms;
  Rig rig(co_await boost::asio::this_coro::executor, db.options(), options);
  model::SampleBatch batch;
  const Timestamp start = std::chrono::floor<std::chrono::seconds>(rig.clock.now()) - 60s;
  const Timestamp step = from_unix_us(to_unix_us(start) / 2'000'000 * 2'000'000);
  batch.append(key_of(1), step, 4);
  batch.append(key_of(1), step + 1s, 8);
  const auto accepted = co_await rig.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(batch));
  CO_ASSERT_OK(accepted);
  rig.restart();
  CO_UNTIL(db.admin_value("select count(*) from outbox where topic = 'metrics'") != "0", 10s);
  EXPECT_EQ(db.admin_value("select payload::jsonb -> 'points' -> 0 ->> 2 from outbox where topic = 'metrics' order by id limit 1"), "6");
  EXPECT_EQ(db.admin_value("select (payload::jsonb -> 'points' -> 0 ->> 1)::bigint from outbox where topic = 'metrics' order by id limit 1"),
            std::to_string(to_unix_us(step)));
  const auto stopped = co_await rig.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorItest, ASampleOfAWrongClockInTheDefaultPartitionHoldsUpNothing) {
  TestDatabase db;
  ingest::Options options;
  options.analysis_step = 2000ms;
  options.step_grace = 500ms;
  Rig rig(co_await boost::asio::this_coro::executor, db.options(), options);
  // A clock that was 400 days ahead left this behind, where no partition is made yet.
  db.admin("insert into sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) select 1, 0, t, t, '{64}', "
           "array[t], '{1}' from (select now() + interval '400 days') x(t)");
  EXPECT_EQ(db.admin_value("select count(*) from only sensus.sample_batches_default"), "1");
  model::SampleBatch batch;
  batch.append(key_of(1), rig.clock.now() - 1s, 4);
  const auto accepted = co_await rig.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(batch));
  CO_ASSERT_OK(accepted);
  rig.restart();
  CO_UNTIL(db.admin_value("select count(*) from outbox where topic = 'metrics' and payload like '%,4]%'") != "0", 20s);
  const auto stopped = co_await rig.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(IngestorItest, AlertsAreStoredOnceWithTheirEventAndTheQuarantine) {
  TestDatabase db;
  Rig rig(co_await boost::asio::this_coro::executor, db.options());
  model::AlertBatch batch;
  model::AlertArrival arrival;
  arrival.labels = {{"alertname", "HighLatency"}};
  arrival.starts_at = rig.clock.now();
  arrival.fingerprint = model::fingerprint_of(arrival.labels);
  batch.arrivals.push_back(arrival);
  batch.quarantined.push_back({"{}", "[1].labels.alertname: is missing or empty", "missing_alertname"});
  model::AlertBatch repeat;
  repeat.arrivals.push_back(arrival);
  const auto first = co_await rig.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(batch));
  CO_ASSERT_OK(first);
  CO_ASSERT_EQ(first->size(), 1U);
  EXPECT_EQ(first->at(0).action, model::MergeAction::create);
  const auto second = co_await rig.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(repeat));
  CO_ASSERT_OK(second);
  EXPECT_EQ(second->at(0).action, model::MergeAction::refresh);
  EXPECT_EQ(second->at(0).id, first->at(0).id);
  EXPECT_EQ(db.admin_value("select count(*) from alerts"), "1");
  EXPECT_EQ(db.admin_value("select count(*) from outbox where topic = 'alerts'"), "1");
  EXPECT_EQ(db.admin_value("select count(*) from quarantine"), "1");
  const auto stopped = co_await rig.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

}  // namespace
}  // namespace sensus::test
