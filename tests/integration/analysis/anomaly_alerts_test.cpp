#include "sensus/analysis/anomaly_alerts.hpp"
#include "sensus/model/labels.hpp"
#include "sensus/pg/database.hpp"

#include "support/coro_test.hpp"
#include "support/services.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sensus::analysis {
namespace {

namespace asio = boost::asio;
using Outcomes = std::vector<storage::AlertOutcome>;

class Rig {
 public:
  explicit Rig(const runtime::Executor& executor)
      : database(executor, db.options(), {}, metrics),
        samples(storage::make_sample_store(database)),
        alerts(storage::make_alert_store(database)) {}
  ~Rig() { database.close_blocking(); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  static runtime::Async<Outcomes> accept(Rig* self, Deadline deadline, TenantId tenant, model::AlertBatch batch) {
    if (self->failure) {
      co_return make_error(*self->failure, "told to fail");
    }
    ++self->batches;
    Result<Outcomes> outcomes = co_await self->alerts->store(deadline, tenant, std::move(batch), self->clock.now());
    co_return outcomes;
  }
  [[nodiscard]] std::unique_ptr<AnomalyAlerts> start(bool enabled = true) {
    AnomalyAlerts::Deps deps{*alerts, *samples,
                             [this](Deadline deadline, TenantId tenant, model::AlertBatch batch) {
                               return accept(this, deadline, tenant, std::move(batch));
                             },
                             clock, {}, metrics, {}};
    return std::make_unique<AnomalyAlerts>(std::move(deps), AnomalyAlertOptions{enabled, 2});
  }
  Result<SeriesId> make_series() {
    const auto writer = storage::make_sample_writer(db.options(), {}, metrics);
    storage::SampleFlush flush;
    flush.new_series.push_back(model::encode_series_key("load", {{"service", "pay"}}));
    flush.rows.push_back({-1, minute(0), 1});
    SENSUS_TRY(const storage::FlushResult flushed, writer->write_blocking(Deadline::after(10s), flush));
    return flushed.new_series.front();
  }
  [[nodiscard]] Timestamp minute(int i) const { return base + std::chrono::minutes(i); }
  [[nodiscard]] JudgedStep odd(SeriesId series, int i) const {
    model::Anomaly anomaly;
    anomaly.series_id = series;
    anomaly.time = minute(i);
    anomaly.kind = "level";
    anomaly.tier = "alerting";
    return {series, anomaly.time, 1, anomaly};
  }
  [[nodiscard]] std::string episodes() {
    return db.admin_value("select string_agg(status || ' ' || (ends_at is null), ',' order by starts_at) from alerts where alert_name = 'SensusAnomaly'");
  }
  [[nodiscard]] std::string events() { return db.admin_value("select count(*) from outbox where topic = 'alerts'"); }

  test::TestDatabase db;
  telemetry::Metrics metrics;
  SystemClock clock;
  pg::Database database;
  std::unique_ptr<storage::SampleStore> samples;
  std::unique_ptr<storage::AlertStore> alerts;
  std::optional<Errc> failure;
  int batches = 0;
  Timestamp base = std::chrono::floor<std::chrono::minutes>(SystemClock().now()) - std::chrono::minutes{20};
};

runtime::Async<> tell(AnomalyAlerts& alerts, std::vector<JudgedStep> steps) {
  const Deadline deadline = Deadline::after(10s);
  Result<> told = co_await alerts.tell(deadline, kDefaultTenant, std::move(steps));
  co_return told;
}

CORO_TEST(AnomalyAlertsWithPostgres, AnAnomalyIsAnAlertLikeAnyOtherAndEndsAfterARestart) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor);
  const Result<SeriesId> series = rig.make_series();
  CO_ASSERT_OK(series);
  auto alerts = rig.start();
  std::vector<JudgedStep> first{rig.odd(*series, 1)};
  rig.failure = Errc::unavailable;
  const Result<> refused = co_await tell(*alerts, first);
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable) << "the steps are told again";
  rig.failure.reset();
  const Result<> told = co_await tell(*alerts, first);
  CO_ASSERT_OK(told);
  const Result<> twice = co_await tell(*alerts, first);
  CO_ASSERT_OK(twice);
  EXPECT_EQ(rig.batches, 1);
  EXPECT_EQ(rig.episodes(), "firing true");
  EXPECT_EQ(rig.events(), "1") << "a report is asked for";
  EXPECT_EQ(rig.db.admin_value("select labels ->> 'metric' || ' ' || (labels ->> 'service') from alerts"), "load pay");

  // As after a restart, with the steps before it delivered again.
  alerts = rig.start();
  const Result<> again = co_await tell(*alerts, first);
  CO_ASSERT_OK(again);
  EXPECT_EQ(rig.episodes(), "firing true");
  EXPECT_EQ(rig.events(), "1");
  EXPECT_TRUE(alerts->is_firing(kDefaultTenant, *series));
  std::vector<JudgedStep> normal{{*series, rig.minute(2), 0, std::nullopt}, {*series, rig.minute(3), 0, std::nullopt}};
  const Result<> ended = co_await tell(*alerts, std::move(normal));
  CO_ASSERT_OK(ended);
  EXPECT_EQ(rig.episodes(), "resolved false");
  EXPECT_EQ(rig.events(), "2");

  alerts = rig.start();
  const Result<> late = co_await tell(*alerts, first);
  CO_ASSERT_OK(late);
  EXPECT_EQ(rig.episodes(), "resolved false") << "what has ended does not begin again";
}

CORO_TEST(AnomalyAlertsWithPostgres, SwitchedOffItEndsWhatFires) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor);
  const Result<SeriesId> series = rig.make_series();
  CO_ASSERT_OK(series);
  auto alerts = rig.start();
  std::vector<JudgedStep> first{rig.odd(*series, 1)};
  const Result<> told = co_await tell(*alerts, first);
  CO_ASSERT_OK(told);
  alerts = rig.start(false);
  const Result<> ignored = co_await tell(*alerts, first);
  CO_ASSERT_OK(ignored);
  const Deadline deadline = Deadline::after(10s);
  const Result<> swept = co_await alerts->sweep(deadline);
  CO_ASSERT_OK(swept);
  EXPECT_EQ(rig.episodes(), "resolved false");
}

}  // namespace
}  // namespace sensus::analysis
