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

/// A rig with some series that have a stored past.
runtime::Task make_rig(std::unique_ptr<Rig>& rig, AnomalyOptions options, SeriesId series) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  rig = std::make_unique<Rig>(executor, options);
  for (SeriesId id = 1; id <= series; ++id) {
    rig->samples.samples[id] = past(id);
  }
}

CORO_TEST(AnomalyWorker, LearnsThePastAndFlagsAFault) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 2);
  std::vector<codec::StepPoint> points{{1, minute(kPast), 400}, {2, minute(kPast), healthy(kPast, 2)}};
  std::vector<stream::Entry> entries = one(entry(11, points));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, Dispositions{Disposition::ack});
  EXPECT_EQ(rig->analyses.finished, std::vector<EventId>{11});
  CO_ASSERT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  const model::Anomaly& anomaly = rig->analyses.stored_anomalies.front();
  EXPECT_EQ(anomaly.series_id, 1);
  EXPECT_EQ(anomaly.time, minute(kPast));
  EXPECT_EQ(anomaly.value, 400);
  EXPECT_NEAR(anomaly.expected, 100, 5);
  EXPECT_GE(anomaly.score, anomaly.threshold);
  EXPECT_LT(anomaly.score, 1);
  EXPECT_EQ(anomaly.model_version, rig->models.versions.front().version);
  EXPECT_NE(anomaly.features_json, "{}");
  EXPECT_EQ(anomaly.tier.empty(), false);
  EXPECT_FALSE(anomaly.kind.empty());
  EXPECT_LT(anomaly.band_low, 100);
  EXPECT_GT(anomaly.band_high, 100);
  EXPECT_NE(anomaly.contributions_json, "[]");
  EXPECT_EQ(rig->outbox_kicks, 1);
}

CORO_TEST(AnomalyWorker, LoadsThePastOfManySeriesInOneQueryStrictlyBeforeTheBatch) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{.history = std::chrono::hours{1}};
  co_await make_rig(rig, options, 3);
  std::vector<codec::StepPoint> points;
  for (const SeriesId id : {1, 2, 3}) {
    points.push_back({id, minute(kPast), healthy(kPast, id)});
    points.push_back({id, minute(kPast + 1), healthy(kPast + 1, id)});
  }
  std::vector<stream::Entry> entries = one(entry(11, points));
  const auto handled_entries = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  CO_ASSERT_EQ(rig->samples.step_means_calls.size(), 1U);
  const auto& call = rig->samples.step_means_calls.front();
  EXPECT_EQ(call.ids, (std::vector<SeriesId>{1, 2, 3}));
  EXPECT_EQ(call.from, minute(kPast - 60));
  EXPECT_EQ(call.to, minute(kPast));
  EXPECT_EQ(call.step, std::chrono::seconds{60});
}

CORO_TEST(AnomalyWorker, KeepsDetectorsBetweenBatches) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  for (std::size_t i = 0; i < 3; ++i) {
    const double value = i < 2 ? healthy(kPast + i, 1) : 400;
    std::vector<stream::Entry> entries = one(entry(static_cast<EventId>(i + 1), {{1, minute(kPast + i), value}}));
    const auto handled_entries = co_await rig->worker->handle(std::move(entries));
    CO_ASSERT_OK(handled_entries);
  }
  EXPECT_EQ(rig->samples.step_means_calls.size(), 1U);
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig->analyses.finished, (std::vector<EventId>{1, 2, 3}));
}

CORO_TEST(AnomalyWorker, ScoresTheStepsOfSeveralEntriesInTimeOrder) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  std::vector<stream::Entry> entries = one(entry(21, {{1, minute(kPast + 1), healthy(kPast + 1, 1)}}));
  entries.push_back(entry(20, {{1, minute(kPast), 400}}));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, (Dispositions{Disposition::ack, Disposition::ack}));
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U) << "the later entry's step is the earlier one";
  EXPECT_TRUE(rig->counts("sensus_analysis_steps_total{outcome=\"scored\"} 2"));
}

CORO_TEST(AnomalyWorker, ARedeliveredEntryIsAcknowledgedWithoutASecondEffect) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  for (int round = 0; round < 2; ++round) {
    std::vector<stream::Entry> entries = one(entry(11, {{1, minute(kPast), 400}}));
    const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
    CO_ASSERT_OK(done);
    EXPECT_EQ(*done, Dispositions{Disposition::ack});
  }
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig->analyses.finished, (std::vector<EventId>{11, 11}));
}

CORO_TEST(AnomalyWorker, MalformedPayloadsGoToTheDeadLettersAndTheRestIsScored) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  std::vector<stream::Entry> entries = one(entry(1, std::string("not json")));
  entries.push_back(entry(2, {{1, minute(kPast), 400}}));
  entries.push_back(entry(3, std::string(R"({"tenant":1,"step_s":60,"points":[["x"]]})")));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, (Dispositions{Disposition::dead_letter, Disposition::ack, Disposition::dead_letter}));
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig->analyses.finished, std::vector<EventId>{2});
}

CORO_TEST(AnomalyWorker, AFailedStoreIsTriedAgainWithTheSameResult) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  rig->analyses.failures.push_back(make_error(Errc::unavailable, "PostgreSQL is away"));
  std::vector<stream::Entry> first = one(entry(11, {{1, minute(kPast), 400}}));
  const Result<Dispositions> failed = co_await rig->worker->handle(std::move(first));
  CO_ASSERT_TRUE(!failed);
  EXPECT_EQ(failed.error().code, Errc::unavailable) << "an outage uses up no deliveries";
  EXPECT_TRUE(rig->analyses.stored_anomalies.empty());
  EXPECT_EQ(rig->outbox_kicks, 0);

  // A later entry comes first: what is pending is stored with it.
  std::vector<stream::Entry> later = one(entry(12, {{1, minute(kPast + 1), healthy(kPast + 1, 1)}}));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(later));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, Dispositions{Disposition::ack});
  CO_ASSERT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig->analyses.stored_anomalies.front().time, minute(kPast));
  EXPECT_EQ(rig->analyses.finished, (std::vector<EventId>{11, 12}));

  std::vector<stream::Entry> again = one(entry(11, {{1, minute(kPast), 400}}));
  const Result<Dispositions> redelivered = co_await rig->worker->handle(std::move(again));
  CO_ASSERT_OK(redelivered);
  EXPECT_EQ(*redelivered, Dispositions{Disposition::ack});
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
}

CORO_TEST(AnomalyWorker, AFailedHistoryLeavesTheEntryPendingAndItsStepsAreScoredLater) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  rig->samples.failures.push_back(make_error(Errc::timeout, "too slow"));
  std::vector<stream::Entry> first = one(entry(11, {{1, minute(kPast), 400}}));
  const Result<Dispositions> failed = co_await rig->worker->handle(std::move(first));
  CO_ASSERT_OK(failed);
  EXPECT_EQ(*failed, Dispositions{Disposition::retry});
  EXPECT_TRUE(rig->analyses.finished.empty());

  std::vector<stream::Entry> later = one(entry(12, {{1, minute(kPast + 1), healthy(kPast + 1, 1)}}));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(later));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, Dispositions{Disposition::ack});
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig->analyses.finished, (std::vector<EventId>{11, 12}));
}

CORO_TEST(AnomalyWorker, AnUnreadablePastMakesTheDetectorLearnFromNowOn) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  rig->samples.failures.push_back(make_error(Errc::internal, "no such function"));
  std::vector<codec::StepPoint> points;
  for (std::size_t i = 0; i < 300; ++i) {
    points.push_back({1, minute(kPast + i), healthy(i, 1)});
  }
  points.push_back({1, minute(kPast + 300), 400});
  std::vector<stream::Entry> entries = one(entry(11, points));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, Dispositions{Disposition::ack});
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
}

CORO_TEST(AnomalyWorker, OneEventThatCannotBeStoredDoesNotHoldUpTheOthers) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 2);
  rig->analyses.poison.insert(11);
  std::vector<stream::Entry> entries = one(entry(11, {{1, minute(kPast), 400}}));
  entries.push_back(entry(12, {{2, minute(kPast), 400}}));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, (Dispositions{Disposition::dead_letter, Disposition::ack}));
  EXPECT_EQ(rig->analyses.finished, std::vector<EventId>{12});
  CO_ASSERT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig->analyses.stored_anomalies.front().series_id, 2);
}

CORO_TEST(AnomalyWorker, SeriesBeyondTheLimitAreAcknowledgedUnscored) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{.series_max = 1};
  co_await make_rig(rig, options, 2);
  std::vector<codec::StepPoint> points{{1, minute(kPast), 400}, {2, minute(kPast), 400}};
  std::vector<stream::Entry> entries = one(entry(11, points));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, Dispositions{Disposition::ack});
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_NE(rig->metrics.render().find("sensus_analysis_steps_total{outcome=\"refused\"} 1"), std::string::npos);

  // The place of a series that has gone quiet is free for another.
  rig->clock.advance(std::chrono::minutes{20});
  std::vector<stream::Entry> later = one(entry(12, {{2, minute(kPast + 20), 400}}));
  const auto handled_later = co_await rig->worker->handle(std::move(later));
  CO_ASSERT_OK(handled_later);
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 2U);
}

CORO_TEST(AnomalyWorker, WithoutACpuPoolTheBatchStaysPending) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  rig->cpu.stop_blocking();
  std::vector<stream::Entry> entries = one(entry(11, {{1, minute(kPast), 400}}));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
  EXPECT_FALSE(done.has_value());
  EXPECT_TRUE(rig->analyses.finished.empty());
}

CORO_TEST(AnomalyWorker, AnEmptyBatchIsFinished) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 0);
  std::vector<stream::Entry> entries = one(entry(11, std::vector<codec::StepPoint>{}));
  const Result<Dispositions> done = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, Dispositions{Disposition::ack});
  EXPECT_EQ(rig->analyses.finished, std::vector<EventId>{11});
  std::vector<stream::Entry> none;
  const Result<Dispositions> nothing = co_await rig->worker->handle(std::move(none));
  CO_ASSERT_OK(nothing);
  EXPECT_TRUE(nothing->empty());
}

CORO_TEST(AnomalyWorker, ManySeriesAreLearnedInChunks) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{.profile = "compact"};
  co_await make_rig(rig, options, 0);
  std::vector<codec::StepPoint> points;
  for (SeriesId id = 1; id <= 250; ++id) {
    points.push_back({id, minute(kPast), 1});
  }
  std::vector<stream::Entry> entries = one(entry(11, points));
  const auto handled_entries = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  EXPECT_EQ(rig->samples.step_means_calls.size(), 3U);
  EXPECT_NE(rig->metrics.render().find("sensus_analysis_detectors_series 250"), std::string::npos);
}

storage::SeriesMatch match(SeriesId id, std::string name, std::optional<std::size_t> rule = std::nullopt) {
  storage::SeriesMatch out;
  out.series.id = id;
  out.series.metric_name = std::move(name);
  out.selector = rule;
  return out;
}

CORO_TEST(AnomalyWorker, OfACounterTheRateIsScored) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 0);
  double count = 0;
  for (std::size_t i = 0; i < kPast; ++i) {
    count += 60 * healthy(i, 1);
    rig->samples.samples[1].push_back({minute(i), count});
  }
  rig->samples.matches[1] = match(1, "switches_total");
  count += 60 * healthy(kPast, 1);
  std::vector<codec::StepPoint> points{{1, minute(kPast), count}, {1, minute(kPast + 1), count + 60.0 * 900}};
  std::vector<stream::Entry> entries = one(entry(11, points));
  const auto handled_entries = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  CO_ASSERT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  const model::Anomaly& anomaly = rig->analyses.stored_anomalies.front();
  EXPECT_TRUE(anomaly.is_rate);
  EXPECT_DOUBLE_EQ(anomaly.value, 900);
  EXPECT_NEAR(anomaly.expected, 100, 5);
}

CORO_TEST(AnomalyWorker, ARuleHoldsBackWhatItSays) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 3);
  Options rules;
  rules.rules.push_back({.selector = "muted", .mute = true});
  rules.rules.push_back({.selector = "only_below", .direction = "below"});
  rig->rules = Rules::make(rules).value();
  rig->restart_worker();
  rig->samples.matches[1] = match(1, "muted", 0);
  rig->samples.matches[2] = match(2, "only_below", 1);
  rig->samples.matches[3] = match(3, "any");
  std::vector<codec::StepPoint> points{{1, minute(kPast), 400}, {2, minute(kPast), 400}, {3, minute(kPast), 400}};
  std::vector<stream::Entry> entries = one(entry(11, points));
  const auto handled_entries = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  CO_ASSERT_EQ(rig->analyses.stored_anomalies.size(), 1U);
  EXPECT_EQ(rig->analyses.stored_anomalies.front().series_id, 3);
}

CORO_TEST(AnomalyWorker, WithoutFactsOfItsSeriesAStepWaits) {
  std::unique_ptr<Rig> rig;
  const AnomalyOptions options{};
  co_await make_rig(rig, options, 1);
  rig->samples.match_failures.push_back(make_error(Errc::unavailable, "scripted"));
  std::vector<codec::StepPoint> points{{1, minute(kPast), 400}};
  std::vector<stream::Entry> entries = one(entry(11, points));
  const auto failed = co_await rig->worker->handle(std::move(entries));
  EXPECT_FALSE(failed.has_value() && *failed == Dispositions{Disposition::ack});
  EXPECT_TRUE(rig->counts("sensus_analysis_anomaly_failures_total{stage=\"facts\"} 1"));
  entries = one(entry(11, points));
  const auto handled_entries = co_await rig->worker->handle(std::move(entries));
  CO_ASSERT_OK(handled_entries);
  EXPECT_EQ(rig->analyses.stored_anomalies.size(), 1U);
}

}  // namespace
}  // namespace sensus::analysis
