#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/codec/model_json.hpp"
#include "sensus/model/labels.hpp"
#include "sensus/pg/database.hpp"

#include "support/coro_test.hpp"
#include "support/services.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cmath>
#include <memory>
#include <optional>

namespace sensus::analysis {
namespace {

namespace asio = boost::asio;
using stream::Disposition;
using Dispositions = std::vector<Disposition>;

constexpr std::size_t kPast = 300;

/// Two hours ago, at the start of a minute: inside the partitions that are always there.
Timestamp minute(std::size_t i) {
  static const Timestamp start =
      std::chrono::floor<std::chrono::minutes>(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now())) -
      std::chrono::hours{6};
  return start + std::chrono::minutes(i);
}

double healthy(std::size_t i) { return 100 + 5 * std::sin(static_cast<double>(i * i)); }

/// The worker over the real stores of a database of its own.
class Rig {
 public:
  explicit Rig(const runtime::Executor& executor)
      : database(executor, db.options(), {}, metrics),
        cpu(executor, {.name = "cpu", .threads = 1, .queue_limit = 16}, metrics),
        samples(storage::make_sample_store(database)),
        analyses(storage::make_analysis_store(database)),
        models(storage::make_model_store(database)),
        states(storage::make_detector_state_store(database)),
        feedback(storage::make_feedback_store(database)),
        metadata(storage::make_metadata_store(database)) {
    restart_worker();
  }
  ~Rig() {
    cpu.stop_blocking();
    database.close_blocking();
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// As after a restart of the daemon: nothing in memory.
  void restart_worker() {
    worker = std::make_unique<AnomalyWorker>(
        AnomalyWorker::Deps{*samples, *analyses, *models, *states, *feedback, *metadata, cpu, clock, {}, metrics, [this] { ++outbox_kicks; }}, AnomalyOptions{});
  }

  /// Two samples a minute, so that step means are means; and the outbox row of the entry that is about to come.
  Result<SeriesId> store_past() {
    const auto writer = storage::make_sample_writer(db.options(), {}, metrics);
    storage::SampleFlush flush;
    flush.new_series.push_back(model::encode_series_key("latency_seconds", {{"service", "checkout"}}));
    for (std::size_t i = 0; i < kPast; ++i) {
      flush.rows.push_back({-1, minute(i) + 10s, healthy(i) - 1});
      flush.rows.push_back({-1, minute(i) + 40s, healthy(i) + 1});
    }
    flush.events.push_back({model::Topic::metrics, "metric", "{}"});
    SENSUS_TRY(const storage::FlushResult flushed, writer->write_blocking(Deadline::after(10s), flush));
    return flushed.new_series.front();
  }
  EventId outbox_event() { return std::stoll("0" + db.admin_value("select id from outbox where topic = 'metrics'")); }

  test::TestDatabase db;
  telemetry::Metrics metrics;
  SystemClock clock;
  pg::Database database;
  runtime::BlockingPool cpu;
  std::unique_ptr<storage::SampleStore> samples;
  std::unique_ptr<storage::AnalysisStore> analyses;
  std::unique_ptr<storage::ModelStore> models;
  std::unique_ptr<storage::DetectorStateStore> states;
  std::unique_ptr<storage::FeedbackStore> feedback;
  std::unique_ptr<storage::MetadataStore> metadata;
  int outbox_kicks = 0;
  std::unique_ptr<AnomalyWorker> worker;
};

std::vector<stream::Entry> fault(EventId id, SeriesId series) {
  const codec::StepBatch batch{kDefaultTenant, std::chrono::seconds{60}, {{series, minute(kPast), 500}}};
  std::vector<stream::Entry> entries;
  entries.push_back({"1-0", {id, model::Topic::metrics, "metric", codec::render_step_batch(batch), minute(kPast)}});
  return entries;
}

CORO_TEST(AnomalyWorkerWithPostgres, LearnsFromStoredSamplesAndCommitsAnomalyEventAndModel) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor);
  const Result<SeriesId> series = rig.store_past();
  CO_ASSERT_OK(series);
  const EventId event = rig.outbox_event();
  std::vector<stream::Entry> entries = fault(event, *series);
  const Result<Dispositions> handled = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(handled);
  EXPECT_EQ(*handled, Dispositions{Disposition::ack});
  EXPECT_EQ(rig.outbox_kicks, 1);

  storage::AnomalyFilter every;
  const Deadline deadline = Deadline::after(5s);
  const Result<storage::Page<model::Anomaly>> page = co_await rig.analyses->anomalies(deadline, kDefaultTenant, std::move(every));
  CO_ASSERT_OK(page);
  CO_ASSERT_EQ(page->items.size(), 1U);
  const model::Anomaly& anomaly = page->items.front();
  EXPECT_EQ(anomaly.metric_name, "latency_seconds");
  EXPECT_EQ(anomaly.labels.get("service"), "checkout");
  EXPECT_EQ(anomaly.time, minute(kPast));
  EXPECT_EQ(anomaly.value, 500);
  EXPECT_NEAR(anomaly.expected, 100, 6);
  EXPECT_GE(anomaly.score, anomaly.threshold);
  EXPECT_FALSE(anomaly.kind.empty());
  EXPECT_EQ(anomaly.tier, "alerting");
  EXPECT_GT(anomaly.band_high, anomaly.band_low);
  EXPECT_GT(anomaly.evidence, 0);
  EXPECT_TRUE(anomaly.since.has_value());
  EXPECT_NE(anomaly.contributions_json.find("\"view\""), std::string::npos);
  EXPECT_EQ(rig.db.admin_value("select version from model_versions where is_active and algorithm = 'isolation_forest'"),
            anomaly.model_version);

  EXPECT_EQ(rig.db.admin_value("select count(*) from outbox where topic = 'metrics'"), "0");
  EXPECT_EQ(rig.db.admin_value("select count(*) from outbox where topic = 'events' and type = 'anomaly'"), "1");
}

CORO_TEST(AnomalyWorkerWithPostgres, FeedbackIsKeptLearnedOnceAndRenewed) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor);
  const Result<SeriesId> series = rig.store_past();
  CO_ASSERT_OK(series);
  const EventId event = rig.outbox_event();
  std::vector<stream::Entry> entries = fault(event, *series);
  const Result<Dispositions> handled = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(handled);
  const AnalysisId anomaly = std::stoll(rig.db.admin_value("select id from ai_analysis_results"));
  const Deadline deadline = Deadline::after(5s);
  const Result<storage::Feedback> missing = co_await rig.feedback->add(deadline, kDefaultTenant, anomaly + 1, "noise", "");
  CO_ASSERT_TRUE(!missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  const Result<storage::Feedback> added = co_await rig.feedback->add(deadline, kDefaultTenant, anomaly, "noise", "a test");
  CO_ASSERT_OK(added);
  EXPECT_EQ(added->series, *series);
  EXPECT_GT(added->evidence, 0);
  const Result<std::vector<storage::Feedback>> waiting = co_await rig.feedback->pending(deadline, kDefaultTenant, 10);
  CO_ASSERT_OK(waiting);
  CO_ASSERT_EQ(waiting->size(), 1U);
  EXPECT_EQ(waiting->front().verdict, "noise");
  std::vector<std::int64_t> ids(1, added->id);
  const Result<> marked = co_await rig.feedback->mark_applied(deadline, kDefaultTenant, std::move(ids));
  CO_ASSERT_OK(marked);
  EXPECT_EQ(rig.db.admin_value("select count(*) from anomaly_feedback where applied_at is null"), "0");
  std::vector<SeriesId> again(1, *series);
  const Result<> renewed = co_await rig.feedback->renew(deadline, kDefaultTenant, std::move(again));
  CO_ASSERT_OK(renewed);
  EXPECT_EQ(rig.db.admin_value("select count(*) from anomaly_feedback where applied_at is null"), "1");
}

CORO_TEST(AnomalyWorkerWithPostgres, ARedeliveryAfterARestartHasNoSecondEffect) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor);
  const Result<SeriesId> series = rig.store_past();
  CO_ASSERT_OK(series);
  const EventId event = rig.outbox_event();
  for (int round = 0; round < 2; ++round) {
    std::vector<stream::Entry> entries = fault(event, *series);
    const Result<Dispositions> handled = co_await rig.worker->handle(std::move(entries));
    CO_ASSERT_OK(handled);
    EXPECT_EQ(*handled, Dispositions{Disposition::ack});
    rig.restart_worker();
  }
  EXPECT_EQ(rig.db.admin_value("select count(*) from ai_analysis_results where analysis_type = 'anomaly_detection'"), "1");
  EXPECT_EQ(rig.db.admin_value("select count(*) from outbox where topic = 'events'"), "1");
  EXPECT_EQ(rig.db.admin_value("select count(*) from model_versions"), "1");
}

CORO_TEST(AnomalyWorkerWithPostgres, AFailedTransactionLeavesNoPartOfItsEffect) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor);
  const Result<SeriesId> series = rig.store_past();
  CO_ASSERT_OK(series);
  const EventId event = rig.outbox_event();
  // The daemon's role may not write anomalies: not an outage, so the entry goes to the dead letters instead of being tried for ever.
  rig.db.admin("revoke insert on ai_analysis_results from sensus_app");
  std::vector<stream::Entry> first = fault(event, *series);
  const Result<Dispositions> refused = co_await rig.worker->handle(std::move(first));
  CO_ASSERT_OK(refused);
  EXPECT_EQ(*refused, Dispositions{Disposition::dead_letter});
  EXPECT_EQ(rig.db.admin_value("select count(*) from ai_analysis_results"), "0");
  EXPECT_EQ(rig.db.admin_value("select count(*) from outbox where topic = 'metrics'"), "1");

  rig.db.admin("grant insert on ai_analysis_results to sensus_app");
  rig.restart_worker();
  std::vector<stream::Entry> again = fault(event, *series);
  const Result<Dispositions> handled = co_await rig.worker->handle(std::move(again));
  CO_ASSERT_OK(handled);
  EXPECT_EQ(*handled, Dispositions{Disposition::ack});
  EXPECT_EQ(rig.db.admin_value("select count(*) from ai_analysis_results"), "1");
}

}  // namespace
}  // namespace sensus::analysis
