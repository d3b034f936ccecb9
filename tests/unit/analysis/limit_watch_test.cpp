#include "anomaly_fixture.hpp"

#include "sensus/analysis/limit_watch.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

namespace asio = boost::asio;
using model::AlertStatus;
using model::SeriesForecast;
using test::minute;

class FakeAlerts final : public storage::AlertStore {
 public:
  std::vector<model::Episode> firing;
  runtime::Async<std::vector<storage::AlertOutcome>> store(Deadline, TenantId, model::AlertBatch, Timestamp) override {
    co_return std::vector<storage::AlertOutcome>{};
  }
  runtime::Async<storage::Page<model::Episode>> list(Deadline, TenantId, storage::AlertFilter filter) override {
    EXPECT_EQ(filter.alert_name, kLimitAlertName);
    EXPECT_EQ(filter.status, AlertStatus::firing);
    co_return storage::Page<model::Episode>{firing, std::nullopt};
  }
  runtime::Async<model::Episode> get(Deadline, TenantId, EpisodeId) override { co_return make_error(Errc::not_found, "none"); }
  runtime::Async<std::vector<model::Episode>> overlapping(Deadline, TenantId, EpisodeId, Timestamp, Timestamp, std::size_t) override {
    co_return std::vector<model::Episode>{};
  }
  runtime::Async<Recurrence> recurrence(Deadline, TenantId, EpisodeId) override { co_return Recurrence{}; }
};

/// Two disks, of which forecasts say when they are full; the second one goes by another rule.
class Desk {
 public:
  explicit Desk(std::chrono::milliseconds within = std::chrono::hours{72}) {
    Options options;
    options.rules.push_back({.selector = "disk{mount=\"/tmp\"}"});
    options.rules.push_back({.selector = "disk", .limit = 0.95, .limit_within = within});
    for (const SeriesId id : {1, 2}) {
      storage::SeriesInfo series;
      series.id = id;
      series.metric_name = "disk";
      samples.series.push_back(series);
      samples.matches[id] = {series, id == 1 ? 1U : 0U};
    }
    LimitWatch::Deps deps{samples, alerts,
                          [this](Deadline, TenantId, model::ForecastQuery query) { return forecast(std::move(query)); },
                          [this](Deadline, TenantId, model::AlertBatch batch) { return accept(std::move(batch)); },
                          clock,
                          {},
                          metrics};
    watch.emplace(std::move(deps), Rules::make(options).value());
  }

  runtime::Async<std::vector<SeriesForecast>> forecast(model::ForecastQuery query) {
    asked.push_back(query);
    if (failure) {
      co_return make_error(*failure, "scripted");
    }
    SeriesForecast one;
    one.id = query.series;
    one.metric_name = "disk";
    one.labels.set("host", "h" + std::to_string(query.series));
    one.status = SeriesForecast::Status::ok;
    if (full_in) {
      one.limit_at = one.limit_earliest = clock.now() + *full_in;
    }
    co_return std::vector<SeriesForecast>{one};
  }
  runtime::Async<std::vector<storage::AlertOutcome>> accept(model::AlertBatch batch) {
    sent.push_back(batch);
    co_return std::vector<storage::AlertOutcome>{};
  }
  /// What was sent last fires, as storage has it.
  void fires() {
    const model::AlertArrival& arrival = sent.back().arrivals.front();
    model::Episode episode;
    episode.id = 5;
    episode.labels = arrival.labels;
    episode.annotations = arrival.annotations;
    episode.starts_at = arrival.starts_at;
    alerts.firing = {episode};
    sent.clear();
  }

  ::sensus::test::FakeSampleStore samples;
  FakeAlerts alerts;
  ManualClock clock{minute(0)};
  telemetry::Metrics metrics;
  std::optional<std::chrono::hours> full_in;
  std::optional<Errc> failure;
  std::vector<model::ForecastQuery> asked;
  std::vector<model::AlertBatch> sent;
  std::optional<LimitWatch> watch;
};

CORO_TEST(LimitWatch, FiresWhileTheForecastReachesTheLimitInTimeAndEndsWhenItIsFarAgain) {
  Desk desk;
  desk.full_in = std::chrono::hours{73};
  Result<> looked = co_await desk.watch->look();
  CO_ASSERT_OK(looked);
  EXPECT_TRUE(desk.sent.empty()) << "an hour too far";
  CO_ASSERT_EQ(desk.asked.size(), 1U);
  EXPECT_EQ(desk.asked[0].series, 1) << "the other disk goes by the rule before";
  EXPECT_EQ(desk.asked[0].limit, 0.95);
  EXPECT_EQ(desk.asked[0].horizon, std::chrono::hours{90});

  desk.full_in = std::chrono::hours{71};
  looked = co_await desk.watch->look();
  CO_ASSERT_OK(looked);
  CO_ASSERT_EQ(desk.sent.size(), 1U);
  const model::AlertArrival first = desk.sent[0].arrivals.front();
  EXPECT_EQ(first.status, AlertStatus::firing);
  EXPECT_EQ(first.labels, (model::Labels{{"alertname", "SensusLimitForecast"}, {"host", "h1"}, {"limit", "0.95"}, {"metric", "disk"},
                                         {"severity", "warning"}}));
  EXPECT_EQ(first.annotations.get("limit_at"), render_rfc3339(minute(71 * 60)));
  desk.fires();

  desk.clock.advance(std::chrono::minutes{10});
  desk.full_in = std::chrono::hours{80};
  looked = co_await desk.watch->look();
  CO_ASSERT_OK(looked);
  CO_ASSERT_EQ(desk.sent.size(), 1U);
  EXPECT_EQ(desk.sent[0].arrivals.front().status, AlertStatus::firing) << "not much farther";
  EXPECT_EQ(desk.sent[0].arrivals.front().starts_at, first.starts_at);
  desk.fires();

  desk.full_in.reset();
  looked = co_await desk.watch->look();
  CO_ASSERT_OK(looked);
  CO_ASSERT_EQ(desk.sent.size(), 1U);
  EXPECT_EQ(desk.sent[0].arrivals.front().status, AlertStatus::resolved);
  EXPECT_EQ(desk.sent[0].arrivals.front().starts_at, first.starts_at);
}

CORO_TEST(LimitWatch, WhatCannotBeForecastKeepsItsAlert) {
  Desk desk;
  desk.full_in = std::chrono::hours{10};
  Result<> looked = co_await desk.watch->look();
  CO_ASSERT_OK(looked);
  desk.fires();
  desk.failure = Errc::unavailable;
  looked = co_await desk.watch->look();
  EXPECT_FALSE(looked);
  EXPECT_TRUE(desk.sent.empty());
}

CORO_TEST(LimitWatch, AnAlertWhoseRuleIsGoneEnds) {
  Desk with;
  with.full_in = std::chrono::hours{10};
  Result<> looked = co_await with.watch->look();
  CO_ASSERT_OK(looked);
  with.fires();
  Desk without(std::chrono::milliseconds{0});
  without.alerts.firing = with.alerts.firing;
  looked = co_await without.watch->look();
  CO_ASSERT_OK(looked);
  EXPECT_TRUE(without.asked.empty());
  CO_ASSERT_EQ(without.sent.size(), 1U);
  EXPECT_EQ(without.sent[0].arrivals.front().status, AlertStatus::resolved);
}

}  // namespace
}  // namespace sensus::analysis
