#include "anomaly_fixture.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

namespace asio = boost::asio;
using test::entry;
using test::healthy;
using test::kPast;
using test::minute;
using test::one;
using test::past;
using test::Rig;

/// A rig whose one series had its last step just now, and has detectors that listened since.
runtime::Async<> make_rig(std::unique_ptr<Rig>& rig) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  const AnomalyOptions options{};
  rig = std::make_unique<Rig>(executor, options);
  rig->samples.samples[1] = past(1);
  rig->clock.advance(minute(kPast + 1) - minute(0));
  std::vector<codec::StepPoint> points{{1, minute(kPast), healthy(kPast, 1)}};
  std::vector<stream::Entry> entries = one(entry(11, points));
  const auto handled = co_await rig->worker->handle(std::move(entries));
  if (!handled) {
    co_return handled.error();
  }
  rig->samples.samples[1].push_back({minute(kPast), healthy(kPast, 1)});
  co_return co_await rig->worker->look_for_silences(Deadline::after(5s));
}

/// Time passes while the worker looks as often as it does.
runtime::Async<> pass(Rig& rig, std::chrono::minutes time) {
  for (std::chrono::seconds passed{0}; passed < time; passed += 30s) {
    rig.clock.advance(30s);
    Result<> looked = co_await rig.worker->look_for_silences(Deadline::after(5s));
    if (!looked) {
      co_return looked;
    }
  }
  co_return Result<>{};
}

CORO_TEST(AnomalySilences, ASeriesThatStopsArrivingIsAGap) {
  std::unique_ptr<Rig> rig;
  const Result<> made = co_await make_rig(rig);
  CO_ASSERT_OK(made);
  const Result<> early = co_await pass(*rig, std::chrono::minutes{8});
  CO_ASSERT_OK(early);
  EXPECT_TRUE(rig->analyses.stored_anomalies.empty());
  const Result<> late = co_await pass(*rig, std::chrono::minutes{30});
  CO_ASSERT_OK(late);
  CO_ASSERT_EQ(rig->analyses.stored_anomalies.size(), 2U);
  const model::Anomaly& first = rig->analyses.stored_anomalies[0];
  EXPECT_EQ(first.kind, "gap");
  EXPECT_EQ(first.tier, "notable");
  EXPECT_TRUE(std::isnan(first.value));
  EXPECT_EQ(first.since, minute(kPast));
  EXPECT_GT(first.time, minute(kPast + 8));
  EXPECT_EQ(rig->analyses.stored_anomalies[1].tier, "alerting");
  EXPECT_EQ(rig->outbox_kicks, 2);
}

CORO_TEST(AnomalySilences, WhatIsStoredButNotScoredYetIsNoSilence) {
  std::unique_ptr<Rig> rig;
  const Result<> made = co_await make_rig(rig);
  CO_ASSERT_OK(made);
  for (std::size_t i = 1; i < 40; ++i) {
    rig->samples.samples[1].push_back({minute(kPast + i), 100});
  }
  const Result<> passed = co_await pass(*rig, std::chrono::minutes{30});
  CO_ASSERT_OK(passed);
  EXPECT_TRUE(rig->analyses.stored_anomalies.empty());
  EXPECT_TRUE(rig->counts("sensus_analysis_silences_total{outcome=\"refuted\"} 2"));
}

CORO_TEST(AnomalySilences, ASeriesThatItsSenderEndedIsNoSilence) {
  std::unique_ptr<Rig> rig;
  const Result<> made = co_await make_rig(rig);
  CO_ASSERT_OK(made);
  rig->samples.ended_series = {1};
  const Result<> passed = co_await pass(*rig, std::chrono::minutes{30});
  CO_ASSERT_OK(passed);
  EXPECT_TRUE(rig->analyses.stored_anomalies.empty());
}

CORO_TEST(AnomalySilences, ATimeInWhichNobodyListenedIsNoSilence) {
  std::unique_ptr<Rig> rig;
  const Result<> made = co_await make_rig(rig);
  CO_ASSERT_OK(made);
  rig->clock.advance(std::chrono::hours{2});  // The process was stopped.
  const Result<> passed = co_await pass(*rig, std::chrono::minutes{8});
  CO_ASSERT_OK(passed);
  EXPECT_TRUE(rig->analyses.stored_anomalies.empty());
}

CORO_TEST(AnomalySilences, AnOutageOfStorageDelaysThemAndLosesNone) {
  std::unique_ptr<Rig> rig;
  const Result<> made = co_await make_rig(rig);
  CO_ASSERT_OK(made);
  const Result<> early = co_await pass(*rig, std::chrono::minutes{8});
  CO_ASSERT_OK(early);
  for (int i = 0; i < 3; ++i) {
    rig->samples.failures.push_back(make_error(Errc::unavailable, "scripted"));
  }
  Result<> away = co_await pass(*rig, std::chrono::minutes{30});
  EXPECT_FALSE(away);
  EXPECT_TRUE(rig->analyses.stored_anomalies.empty());
  rig->samples.failures.clear();
  const Result<> late = co_await pass(*rig, std::chrono::minutes{30});
  CO_ASSERT_OK(late);
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 2U);
}

}  // namespace
}  // namespace sensus::analysis
