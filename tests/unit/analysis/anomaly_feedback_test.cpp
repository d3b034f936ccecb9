#include "anomaly_fixture.hpp"

#include "sensus/runtime/signal.hpp"
#include "sensus/runtime/task_group.hpp"

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

/// One look of the worker's loop at versions and feedback, from its start to its end.
runtime::Task look_once(Rig& rig, runtime::Executor executor) {
  runtime::TaskGroup tasks(executor, {});
  runtime::Signal looked(executor);
  rig.models.on_active = [&looked] { looked.notify(); };
  tasks.spawn("look", rig.worker->run_schedule());
  const Deadline soon = Deadline::after(std::chrono::seconds{5});
  const bool notified = co_await looked.wait(soon);
  EXPECT_TRUE(notified);
  // Whoever comes next waits for the look to end.
  std::vector<stream::Entry> none;
  const auto handled = co_await rig.worker->handle(std::move(none));
  EXPECT_TRUE(handled.has_value());
  rig.models.on_active = {};
  rig.worker->stop();
  const Result<> ended = co_await tasks.stop(std::chrono::seconds{5});
  EXPECT_TRUE(ended.has_value());
}

runtime::Task handle_step(Rig& rig, EventId id, std::size_t at_minute, double value) {
  std::vector<stream::Entry> entries = one(entry(id, {{1, minute(at_minute), value}}));
  const auto done = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
}

void say(Rig& rig, SeriesId series, std::string verdict, double evidence) {
  storage::Feedback row;
  row.id = static_cast<std::int64_t>(rig.feedback.rows.size()) + 1;
  row.series = series;
  row.verdict = std::move(verdict);
  row.evidence = evidence;
  rig.feedback.rows.push_back(row);
}

CORO_TEST(AnomalyFeedback, WhatWasExpectedStaysQuietAlsoAfterARestart) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.samples.samples[1] = past(1);
  co_await handle_step(rig, 1, kPast, 400);
  CO_ASSERT_EQ(rig.analyses.stored_anomalies.size(), 1U);
  const double evidence = rig.analyses.stored_anomalies.front().evidence;
  for (int i = 0; i < 8; ++i) {
    say(rig, 1, "noise", evidence);
  }
  co_await look_once(rig, executor);
  EXPECT_EQ(rig.feedback.applied.size(), 8U);
  EXPECT_TRUE(rig.counts("sensus_analysis_feedback_total 8"));

  rig.restart_worker();
  for (std::size_t i = 1; i < 130; ++i) {
    rig.samples.samples[1].push_back({minute(kPast + i), healthy(kPast + i, 1)});
  }
  rig.samples.samples[1].push_back({minute(kPast + 130), 400});
  co_await handle_step(rig, 2, kPast + 131, healthy(kPast + 131, 1));
  EXPECT_EQ(rig.analyses.stored_anomalies.size(), 1U) << "the restored detector knows";
  EXPECT_TRUE(rig.counts("sensus_analysis_states_restored_total 1"));
}

CORO_TEST(AnomalyFeedback, OfASeriesWithoutADetectorWaitsForIt) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  say(rig, 7, "noise", 20);
  co_await look_once(rig, executor);
  EXPECT_TRUE(rig.feedback.applied.empty());
}

CORO_TEST(AnomalyFeedback, ADetectorThatIsLearnedAnewLearnsAllOfItAgain) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Rig rig(executor, {});
  rig.samples.samples[1] = past(1);
  say(rig, 1, "useful", 16);
  rig.feedback.applied.insert(1);
  co_await handle_step(rig, 1, kPast, healthy(kPast, 1));
  co_await look_once(rig, executor);
  EXPECT_TRUE(rig.counts("sensus_analysis_feedback_total 1"));
  EXPECT_TRUE(rig.feedback.applied.contains(1));
}

}  // namespace
}  // namespace sensus::analysis
