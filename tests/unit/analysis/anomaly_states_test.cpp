#include "anomaly_fixture.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

namespace asio = boost::asio;
using stream::Disposition;
using test::entry;
using test::healthy;
using test::kPast;
using test::minute;
using test::one;
using test::past;
using test::Rig;
using Dispositions = std::vector<Disposition>;

/// Deadlines of the tests are far away.
Deadline soon() { return Deadline::after(std::chrono::seconds{5}); }

/// A worker that has seen one step of each of `series` series.
runtime::Task make_rig(std::unique_ptr<Rig>& rig, SeriesId series) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  rig = std::make_unique<Rig>(executor, AnomalyOptions{});
  std::vector<codec::StepPoint> points;
  for (SeriesId id = 1; id <= series; ++id) {
    rig->samples.samples[id] = past(id);
    points.push_back({id, minute(kPast), healthy(kPast, id)});
  }
  std::vector<stream::Entry> entries = one(entry(1, points));
  const auto handled_entries = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  rig->samples.step_means_calls.clear();
}

runtime::Task save_and_restart(Rig& rig) {
  const Deadline deadline = soon();
  const Result<> saved = co_await rig.worker->save_all(deadline);
  CO_ASSERT_OK(saved);
  rig.restart_worker();
}

/// Handles one step of series 1 and expects it to be acknowledged.
runtime::Task handle_step(Rig& rig, EventId id, std::size_t at_minute, double value) {
  std::vector<stream::Entry> entries = one(entry(id, {{1, minute(at_minute), value}}));
  const Result<Dispositions> done = co_await rig.worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, Dispositions{Disposition::ack});
}

CORO_TEST(AnomalyStates, ARestartedWorkerGoesOnWithoutAWarmUp) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 2);
  co_await save_and_restart(*rig);
  EXPECT_EQ(rig->states.states.size(), 2U);
  co_await handle_step(*rig, 2, kPast + 1, 400);
  EXPECT_TRUE(rig->samples.step_means_calls.empty()) << "nothing was missed, so nothing is read";
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_TRUE(rig->counts("sensus_analysis_states_restored_total 1"));
  EXPECT_TRUE(rig->counts("sensus_analysis_detectors_learned_total 2")) << "those of before the restart";
}

CORO_TEST(AnomalyStates, ARestoredDetectorSaysWhatTheOldOneWouldHaveSaid) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 1);
  const Deadline deadline = soon();
  const Result<> saved = co_await rig->worker->save_all(deadline);
  CO_ASSERT_OK(saved);
  co_await handle_step(*rig, 2, kPast + 1, 130);
  rig->restart_worker();
  co_await handle_step(*rig, 3, kPast + 1, 130);
  CO_ASSERT_EQ(rig->analyses.stored_anomalies.size(), 2U);
  EXPECT_EQ(rig->analyses.stored_anomalies[0].score, rig->analyses.stored_anomalies[1].score);
  EXPECT_EQ(rig->analyses.stored_anomalies[0].features_json, rig->analyses.stored_anomalies[1].features_json);
}

CORO_TEST(AnomalyStates, StepsSinceTheSavedStateAreReplayedFromSamples) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 1);
  co_await save_and_restart(*rig);
  for (std::size_t i = kPast; i < kPast + 5; ++i) {
    rig->samples.samples[1].push_back({minute(i), healthy(i, 1)});
  }
  co_await handle_step(*rig, 2, kPast + 5, 400);
  CO_ASSERT_EQ(rig->samples.step_means_calls.size(), 1U);
  EXPECT_EQ(rig->samples.step_means_calls.front().from, minute(kPast)) << "of the past no more than is missing";
  EXPECT_EQ(rig->samples.step_means_calls.front().to, minute(kPast + 5));
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_TRUE(rig->counts("sensus_analysis_steps_replayed_total 5"));
}

CORO_TEST(AnomalyStates, AFaultInAStepThatWasNeverDeliveredIsFoundInTheReplay) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 1);
  co_await save_and_restart(*rig);
  rig->samples.samples[1].push_back({minute(kPast), healthy(kPast, 1)});
  rig->samples.samples[1].push_back({minute(kPast + 1), 400});
  rig->samples.samples[1].push_back({minute(kPast + 2), healthy(kPast + 2, 1)});
  co_await handle_step(*rig, 2, kPast + 3, healthy(kPast + 3, 1));
  CO_ASSERT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig->analyses.stored_anomalies.front().time, minute(kPast + 1));
}

CORO_TEST(AnomalyStates, ADamagedStateIsRefusedAndLearnedAnew) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 1);
  co_await save_and_restart(*rig);
  CO_ASSERT_EQ(rig->states.states.size(), 1U);
  std::string& bytes = rig->states.states.begin()->second.bytes;
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  co_await handle_step(*rig, 2, kPast + 1, 400);
  EXPECT_EQ(rig->samples.step_means_calls.size(), 1U);
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_TRUE(rig->counts("sensus_analysis_states_refused_total{reason=\"damaged\"} 1"));
}

CORO_TEST(AnomalyStates, AStateOfAnotherModelIsNotEvenAskedFor) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 1);
  const Deadline deadline = soon();
  const Result<> saved = co_await rig->worker->save_all(deadline);
  CO_ASSERT_OK(saved);
  rig->options.profile = "compact";
  rig->restart_worker();
  co_await handle_step(*rig, 2, kPast + 1, 400);
  EXPECT_EQ(rig->samples.step_means_calls.size(), 1U);
  EXPECT_TRUE(rig->counts("sensus_analysis_states_restored_total 0"));
}

CORO_TEST(AnomalyStates, ASeriesWithStepsThatAreNotCommittedIsNotSaved) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 2);
  rig->analyses.failures.push_back(make_error(Errc::unavailable, "PostgreSQL is away"));
  std::vector<stream::Entry> entries = one(entry(2, {{1, minute(kPast + 1), 400}}));
  const Result<Dispositions> failed = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_TRUE(!failed);
  co_await save_and_restart(*rig);
  EXPECT_EQ(rig->states.states.size(), 1U) << "series 2 alone";

  // The entry comes again, and what was never committed is found again.
  rig->samples.samples[1].push_back({minute(kPast), healthy(kPast, 1)});
  co_await handle_step(*rig, 2, kPast + 1, 400);
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
}

CORO_TEST(AnomalyStates, WhatIsNotNewIsNotSavedAgain) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 2);
  for (int round = 0; round < 2; ++round) {
    const Deadline deadline = soon();
    const Result<> saved = co_await rig->worker->save_all(deadline);
    CO_ASSERT_OK(saved);
    EXPECT_TRUE(rig->counts("sensus_analysis_states_saved_total 2"));
  }
  co_await handle_step(*rig, 2, kPast + 1, healthy(kPast + 1, 1));
  const Deadline deadline = soon();
  const Result<> saved = co_await rig->worker->save_all(deadline);
  CO_ASSERT_OK(saved);
  EXPECT_TRUE(rig->counts("sensus_analysis_states_saved_total 3"));
}

CORO_TEST(AnomalyStates, AFailedSaveIsToldAndTriedAgain) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 1);
  rig->states.failures.push_back(make_error(Errc::unavailable, "PostgreSQL is away"));
  const Deadline deadline = soon();
  const Result<> failed = co_await rig->worker->save_all(deadline);
  EXPECT_FALSE(failed.has_value());
  EXPECT_TRUE(rig->counts("sensus_analysis_anomaly_failures_total{stage=\"save\"} 1"));
  const Result<> saved = co_await rig->worker->save_all(deadline);
  CO_ASSERT_OK(saved);
  EXPECT_EQ(rig->states.states.size(), 1U);
}

CORO_TEST(AnomalyStates, AnOutageWhileRestoringLeavesTheEntryPending) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 1);
  co_await save_and_restart(*rig);
  rig->states.failures.push_back(make_error(Errc::unavailable, "PostgreSQL is away"));
  std::vector<stream::Entry> entries = one(entry(2, {{1, minute(kPast + 1), 400}}));
  const Result<Dispositions> failed = co_await rig->worker->handle(std::move(entries));
  EXPECT_FALSE(failed.has_value());
  co_await handle_step(*rig, 2, kPast + 1, 400);
  EXPECT_TRUE(rig->counts("sensus_analysis_states_restored_total 1"));
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
}

CORO_TEST(AnomalyStates, SavingStopsAtItsDeadline) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 2);
  const Deadline passed = Deadline::after(std::chrono::seconds{-1});
  const Result<> saved = co_await rig->worker->save_all(passed);
  CO_ASSERT_TRUE(!saved);
  EXPECT_EQ(saved.error().code, Errc::timeout);
  EXPECT_TRUE(rig->states.states.empty());
}

CORO_TEST(AnomalyStates, TheScheduleGoesRoundAllDetectorsAndEndsAtStop) {
  std::unique_ptr<Rig> rig;
  co_await make_rig(rig, 40);
  rig->options.state_save_interval = std::chrono::milliseconds{4};
  rig->restart_worker();
  std::vector<codec::StepPoint> points;
  for (SeriesId id = 1; id <= 40; ++id) {
    points.push_back({id, minute(kPast), healthy(kPast, id)});
  }
  std::vector<stream::Entry> entries = one(entry(2, points));
  const auto handled_entries = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  rig->states.on_save = [&rig] {
    if (rig->states.states.size() == 40) {
      rig->worker->stop();
    }
  };
  co_await rig->worker->run_saving();
  EXPECT_EQ(rig->states.states.size(), 40U);
}

}  // namespace
}  // namespace sensus::analysis
