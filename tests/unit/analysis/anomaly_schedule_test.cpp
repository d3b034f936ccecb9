#include "anomaly_fixture.hpp"
#include "anomaly_worker_internal.hpp"

#include "sensus/runtime/task_group.hpp"

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
  EXPECT_EQ(rig.models.versions.front().parameters_json, render_parameters(detector_params({})));
  EXPECT_EQ(rig.models.versions.front().training_date, minute(0));
}

CORO_TEST(AnomalySchedule, AdoptsTheActiveVersionOfTheSameParameters) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.models.versions.push_back(make_version(detector_params({}), minute(0) - std::chrono::hours{5}));
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
  rig.models.versions.push_back(make_version(detector_params({.warmup = 99}), minute(0) - std::chrono::hours{5}));
  rig.models.on_publish = [&rig](std::size_t) { rig.worker->stop(); };
  co_await rig.worker->run_schedule();
  CO_ASSERT_EQ(rig.models.versions.size(), 2U);
  EXPECT_FALSE(rig.models.versions[0].is_active);
  EXPECT_TRUE(rig.models.versions[1].is_active);
}

CORO_TEST(AnomalySchedule, AVersionThatWasActivatedByHandIsNotReplacedByTheConfiguration) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  model::ModelVersion pinned = make_version(detector_params({.profile = "compact"}), minute(0) - std::chrono::hours{5});
  pinned.is_pinned = true;
  rig.models.versions.push_back(pinned);
  rig.samples.samples[1] = past(1);
  std::vector<stream::Entry> entries = one(entry(11, {{1, minute(kPast), 400}}));
  const auto handled_entries = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  EXPECT_EQ(rig.models.versions.size(), 1U);
  const Deadline deadline = Deadline::after(std::chrono::seconds{5});
  const Result<> saved = co_await rig.worker->save_all(deadline);
  CO_ASSERT_OK(saved);
  CO_ASSERT_EQ(rig.states.states.size(), 1U);
  EXPECT_EQ(rig.states.states.begin()->first.first, "isolation_forest/compact");
}

CORO_TEST(AnomalySchedule, FollowsAVersionThatIsActivatedAndRollsBackToSavedStates) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.samples.samples[1] = past(1);
  std::vector<stream::Entry> entries = one(entry(11, {{1, minute(kPast), test::healthy(kPast, 1)}}));
  const auto handled_entries = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  rig.samples.samples[1].push_back({minute(kPast), test::healthy(kPast, 1)});
  rig.samples.step_means_calls.clear();

  // Another version is activated, then the first again: its detectors go on from where they were.
  rig.models.versions.front().is_active = false;
  rig.models.versions.push_back(make_version(detector_params({.profile = "compact"}), minute(0)));
  rig.models.versions.back().id = 2;
  runtime::Signal looked(executor);
  rig.models.on_active = [&looked] { looked.notify(); };
  runtime::TaskGroup tasks(executor, {});
  tasks.spawn("version", rig.worker->run_schedule());
  for (const std::size_t round : {1U, 2U}) {
    rig.worker->look_at_version();
    const Deadline soon = Deadline::after(std::chrono::seconds{5});
    const bool notified = co_await looked.wait(soon);
    CO_ASSERT_TRUE(notified);
    std::vector<stream::Entry> next = one(entry(11 + static_cast<EventId>(round), {{1, minute(kPast + round), test::healthy(kPast + round, 1)}}));
    const auto handled_next = co_await rig.worker->handle(std::move(next));
    CO_ASSERT_OK(handled_next);
    rig.samples.samples[1].push_back({minute(kPast + round), test::healthy(kPast + round, 1)});
    rig.models.versions[0].is_active = true;
    rig.models.versions[1].is_active = false;
  }
  rig.worker->stop();
  const Result<> ended = co_await tasks.stop(std::chrono::seconds{5});
  CO_ASSERT_OK(ended);
  CO_ASSERT_EQ(rig.samples.step_means_calls.size(), 2U);
  EXPECT_EQ(rig.samples.step_means_calls[0].from, minute(kPast + 1) - std::chrono::hours{24}) << "the new model learns all of the past";
  EXPECT_EQ(rig.samples.step_means_calls[1].from, minute(kPast)) << "the old one what it missed";
}

CORO_TEST(AnomalySchedule, RetrainingGoesThroughAllDetectorsAndTheyGoOn) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  std::vector<codec::StepPoint> points;
  for (SeriesId id = 1; id <= 40; ++id) {
    rig.samples.samples[id] = past(id);
    points.push_back({id, minute(kPast), test::healthy(kPast, id)});
  }
  std::vector<stream::Entry> entries = one(entry(11, points));
  const auto handled_entries = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  const Result<std::size_t> retrained = co_await rig.worker->retrain();
  CO_ASSERT_OK(retrained);
  EXPECT_EQ(*retrained, 40U);
  EXPECT_TRUE(rig.counts("sensus_analysis_retrains_total 40"));

  // No second look at the past, and a fault is still one.
  std::vector<stream::Entry> fault = one(entry(12, {{1, minute(kPast + 1), 400}}));
  const auto handled_fault = co_await rig.worker->handle(std::move(fault));
  CO_ASSERT_OK(handled_fault);
  EXPECT_EQ(rig.samples.step_means_calls.size(), 1U);
  CO_ASSERT_TRUE(!rig.analyses.stored_anomalies.empty());
  EXPECT_EQ(rig.analyses.stored_anomalies.back().time, minute(kPast + 1));
  EXPECT_EQ(rig.analyses.stored_anomalies.back().series_id, 1);
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
