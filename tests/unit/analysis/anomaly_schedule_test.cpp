#include "anomaly_fixture.hpp"
#include "anomaly_worker_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

namespace asio = boost::asio;
using test::entry;
using test::kPast;
using test::minute;
using test::one;
using test::past;
using test::Rig;

CORO_TEST(AnomalySchedule, PublishesAVersionAtStartAndEndsAtStop) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.models.on_publish = [&rig](std::size_t) { rig.worker->stop(); };
  co_await rig.worker->run_schedule();
  CO_ASSERT_EQ(rig.models.versions.size(), 1U);
  EXPECT_EQ(rig.models.versions.front().algorithm, "isolation_forest");
  EXPECT_EQ(rig.models.versions.front().parameters_json, render_parameters({}));
  EXPECT_EQ(rig.models.versions.front().training_date, minute(0));
}

CORO_TEST(AnomalySchedule, AdoptsTheActiveVersionOfTheSameParameters) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.models.versions.push_back(make_version({}, minute(0) - std::chrono::hours{5}));
  rig.samples.samples[1] = past(1);
  std::vector<stream::Entry> entries = one(entry(11, {{1, minute(kPast), 400}}));
  const auto handled_entries = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  CO_ASSERT_EQ(rig.analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig.models.versions.size(), 1U);
  EXPECT_EQ(rig.analyses.stored_anomalies.front().model_version, rig.models.versions.front().version);
}

CORO_TEST(AnomalySchedule, ReplacesTheActiveVersionOfOtherParameters) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.models.versions.push_back(make_version({.trees = 99}, minute(0) - std::chrono::hours{5}));
  rig.models.on_publish = [&rig](std::size_t) { rig.worker->stop(); };
  co_await rig.worker->run_schedule();
  CO_ASSERT_EQ(rig.models.versions.size(), 2U);
  EXPECT_FALSE(rig.models.versions[0].is_active);
  EXPECT_TRUE(rig.models.versions[1].is_active);
}

CORO_TEST(AnomalySchedule, RetrainsTheDetectorsAndPublishesANewVersionEachInterval) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {.retrain_interval = std::chrono::milliseconds{1}});
  for (SeriesId id = 1; id <= 40; ++id) {
    rig.samples.samples[id] = past(id);
  }
  std::vector<codec::StepPoint> points;
  for (SeriesId id = 1; id <= 40; ++id) {
    points.push_back({id, minute(kPast), test::healthy(kPast, id)});
  }
  std::vector<stream::Entry> entries = one(entry(11, points));
  const auto handled_entries = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);

  rig.models.on_publish = [&rig](std::size_t count) {
    rig.clock.advance(std::chrono::hours{6});
    if (count == 3) {
      rig.worker->stop();
    }
  };
  co_await rig.worker->run_schedule();
  EXPECT_EQ(rig.models.versions.size(), 3U);
  EXPECT_NE(rig.metrics.render().find("sensus_analysis_retrains_total 80"), std::string::npos);

  // The retrained detectors go on: no second look at the past, and a fault is still one.
  std::vector<stream::Entry> fault = one(entry(12, {{1, minute(kPast + 1), 400}}));
  const auto handled_fault = co_await rig.worker->handle(std::move(fault));
  CO_ASSERT_OK(handled_fault);
  EXPECT_EQ(rig.samples.step_means_calls.size(), 1U);
  CO_ASSERT_EQ(rig.analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig.analyses.stored_anomalies.front().model_version, rig.models.versions.back().version);
}

CORO_TEST(AnomalySchedule, WithoutAVersionNothingIsScored) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.samples.samples[1] = past(1);
  rig.models.failures.push_back(make_error(Errc::unavailable, "PostgreSQL is away"));
  std::vector<stream::Entry> first = one(entry(11, {{1, minute(kPast), 400}}));
  const Result<std::vector<stream::Disposition>> failed = co_await rig.worker->handle(std::move(first));
  EXPECT_FALSE(failed.has_value());
  std::vector<stream::Entry> again = one(entry(11, {{1, minute(kPast), 400}}));
  const Result<std::vector<stream::Disposition>> done = co_await rig.worker->handle(std::move(again));
  CO_ASSERT_OK(done);
  EXPECT_EQ(rig.analyses.stored_anomalies.size(), 1U);
}

CORO_TEST(AnomalySchedule, StopBeforeTheStartEndsAtOnce) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.worker->stop();
  co_await rig.worker->run_schedule();
  EXPECT_TRUE(rig.models.versions.empty());
}

}  // namespace
}  // namespace sensus::analysis
