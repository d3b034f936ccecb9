#include "alert_ledger_internal.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace sensus::analysis {
namespace {

using namespace std::chrono_literals;
using model::AlertStatus;

constexpr SeriesId kLoad = 7;
const Timestamp kNow = parse_rfc3339("2026-11-20T12:00:00Z").value();
const AlertLedger::Names kNames{{kLoad, {"load", {{"service", "pay"}}}}};

Timestamp minute(int i) { return kNow - 30min + std::chrono::minutes(i); }

JudgedStep odd(int i, SeriesId series = kLoad, std::string tier = "alerting") {
  model::Anomaly anomaly;
  anomaly.series_id = series;
  anomaly.time = minute(i);
  anomaly.value = 160;
  anomaly.expected = 100;
  anomaly.band_low = 96;
  anomaly.band_high = 104.5;
  anomaly.kind = "level";
  anomaly.tier = std::move(tier);
  anomaly.since = minute(i) - 1min;
  return {series, anomaly.time, anomaly.value, anomaly};
}
JudgedStep normal(int i, double value = 100) { return {kLoad, minute(i), value, std::nullopt}; }

/// What was sent, and the ledger goes on.
std::vector<model::AlertArrival> told(AlertLedger& ledger, std::vector<JudgedStep> steps, Timestamp now = kNow) {
  AlertLedger::Change change = ledger.observe(kDefaultTenant, std::move(steps), kNames, now);
  std::vector<model::AlertArrival> arrivals = change.arrivals;
  ledger.apply(std::move(change));
  return arrivals;
}

TEST(AlertLedger, AnAlertNamesSeriesMetricAndKindAndSaysWhy) {
  AlertLedger ledger(3);
  const auto sent = told(ledger, {odd(1)});
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].status, AlertStatus::firing);
  EXPECT_EQ(sent[0].labels, (model::Labels{{"alertname", "SensusAnomaly"}, {"kind", "level"}, {"metric", "load"}, {"service", "pay"},
                                           {"severity", "warning"}}));
  EXPECT_EQ(sent[0].starts_at, minute(1));
  EXPECT_FALSE(sent[0].ends_at.has_value());
  EXPECT_EQ(sent[0].annotations.get("value"), "160");
  EXPECT_EQ(sent[0].annotations.get("expected"), "100");
  EXPECT_EQ(sent[0].annotations.get("band"), "96 to 104.5");
  EXPECT_EQ(sent[0].annotations.get("since"), render_rfc3339(minute(0)));
  EXPECT_EQ(sent[0].annotations.get("description"),
            "load{service=\"pay\"} is 160 where 100 was expected, ordinary is 96 to 104.5, since " + render_rfc3339(minute(0)));
  EXPECT_TRUE(ledger.is_firing({kDefaultTenant, kLoad}));
}

TEST(AlertLedger, ASeriesKeepsItsOwnSeverity) {
  const model::Labels labels = alert_labels({"load", {{"severity", "critical"}, {"kind", "its own"}}}, *odd(1).anomaly);
  EXPECT_EQ(labels.get("severity"), "critical");
  EXPECT_EQ(labels.get("kind"), "level");
}

TEST(AlertLedger, ASilentSeriesFiresUntilItArrivesAgain) {
  AlertLedger ledger(3);
  JudgedStep gap = odd(1);
  gap.anomaly->kind = "gap";
  gap.value = gap.anomaly->value = std::numeric_limits<double>::quiet_NaN();
  gap.anomaly->band_low = gap.anomaly->band_high = gap.anomaly->expected = 55;
  const auto sent = told(ledger, {gap});
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].annotations.get("description"), "nothing came of load{service=\"pay\"} since " + render_rfc3339(minute(0)));
  const auto ended = told(ledger, {normal(2), normal(3), normal(4)});
  ASSERT_EQ(ended.size(), 1U) << "whatever its values are";
  EXPECT_EQ(ended[0].status, AlertStatus::resolved);
}

TEST(AlertLedger, OneAlertWhileAnomalousAndItsEndAfterSomeNormalSteps) {
  AlertLedger ledger(3);
  EXPECT_EQ(told(ledger, {odd(1), odd(2), normal(3), odd(4, kLoad, "notable"), normal(5), normal(6)}).size(), 1U);
  EXPECT_TRUE(ledger.is_firing({kDefaultTenant, kLoad}));
  const auto sent = told(ledger, {normal(7), normal(8)});
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].status, AlertStatus::resolved);
  EXPECT_EQ(sent[0].starts_at, minute(1));
  EXPECT_EQ(sent[0].ends_at, minute(5)) << "when it became normal";
  EXPECT_FALSE(ledger.is_firing({kDefaultTenant, kLoad}));
}

TEST(AlertLedger, ItFiresWhileOutsideTheBandOfTheBeginningButNotForEver) {
  AlertLedger ledger(2);
  // The detector has grown used to the new level after its first steps.
  EXPECT_EQ(told(ledger, {odd(1), normal(2, 150), normal(3, 150), normal(4, 150), normal(5, 95.9), normal(6, 104.6)}).size(), 1U);
  EXPECT_TRUE(ledger.is_firing({kDefaultTenant, kLoad}));
  EXPECT_TRUE(told(ledger, {normal(7, 96), normal(8, 150), normal(9, 104.5)}).empty());
  EXPECT_TRUE(told(ledger, {normal(121, 150)}).size() <= 1U);
  const auto ended = told(ledger, {normal(122, 150), normal(123, 150)});
  ASSERT_EQ(ended.size(), 1U) << "two hours after the last anomaly that is how it is";
  EXPECT_EQ(ended[0].ends_at, minute(122));
}

TEST(AlertLedger, AStepThatWasNotJudgedSaysNothing) {
  AlertLedger ledger(1);
  EXPECT_EQ(told(ledger, {odd(1), normal(2, std::numeric_limits<double>::quiet_NaN())}).size(), 1U);
  EXPECT_TRUE(ledger.is_firing({kDefaultTenant, kLoad}));
}

TEST(AlertLedger, AFlatLineGoesOnWhileItIsFlat) {
  AlertLedger ledger(1);
  JudgedStep flat = odd(1);
  flat.anomaly->kind = "flat_line";
  flat.anomaly->value = 100;
  EXPECT_EQ(told(ledger, {flat, normal(2, 100), normal(3, 100)}).size(), 1U);
  EXPECT_EQ(told(ledger, {normal(4, 101)}).size(), 1U);
}

TEST(AlertLedger, StepsThatAreToldTwiceChangeNothing) {
  AlertLedger ledger(2);
  const std::vector<JudgedStep> steps{odd(1), normal(2), normal(3)};  // A retry after the alert path failed half way.
  EXPECT_EQ(told(ledger, steps).size(), 2U);
  EXPECT_TRUE(told(ledger, steps).empty());
  // What was anomalous and came a second time, too late to be scored.
  EXPECT_EQ(told(ledger, {normal(5), odd(5), odd(6), normal(6)}).size(), 1U);
  EXPECT_TRUE(told(ledger, {normal(5), normal(6), normal(6)}).empty());
  EXPECT_TRUE(ledger.is_firing({kDefaultTenant, kLoad}));
}

TEST(AlertLedger, ANewAlertDoesNotReachBackIntoTheLast) {
  AlertLedger ledger(1);
  EXPECT_EQ(told(ledger, {odd(1), normal(5)}).size(), 2U);
  const auto sent = told(ledger, {odd(6)});
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].starts_at, minute(6));
}

TEST(AlertLedger, AnAlertThatGoesOnIsToldAgainNowAndThen) {
  AlertLedger ledger(3);
  EXPECT_EQ(told(ledger, {odd(1)}).size(), 1U);
  EXPECT_TRUE(told(ledger, {odd(2)}, kNow + 4min).empty());
  EXPECT_EQ(told(ledger, {odd(3)}, kNow + 5min).size(), 1U);
}

TEST(AlertLedger, WhatIsNotToBeTrustedOldOrUnknownRaisesNothing) {
  AlertLedger ledger(3);
  EXPECT_TRUE(told(ledger, {odd(1, kLoad, "notable")}).empty());
  EXPECT_TRUE(told(ledger, {odd(2, 99)}).empty()) << "a series without a name was removed";
  EXPECT_TRUE(told(ledger, {odd(2)}, minute(2) + 61min).empty()) << "what is over is no news";
}

TEST(AlertLedger, AnAlertNeverMakesASeriesThatMakesAnAlert) {
  EXPECT_TRUE(raises_no_alert({"ALERTS", {{"job", "x"}}}));
  EXPECT_TRUE(raises_no_alert({"ALERTS_FOR_STATE", {}}));
  EXPECT_TRUE(raises_no_alert({"sensus_alerts_received_total", {}}));
  EXPECT_TRUE(raises_no_alert({"notifications", {{"alertname", "SensusAnomaly"}}}));
  EXPECT_FALSE(raises_no_alert({"load", {{"service", "pay"}}}));
  EXPECT_FALSE(raises_no_alert({"sensus_anomalous_share", {{"service", "pay"}}}));
  AlertLedger ledger(3);
  const AlertLedger::Change change = ledger.observe(kDefaultTenant, {odd(1)}, {{kLoad, {"ALERTS", {}}}}, kNow);
  EXPECT_TRUE(change.arrivals.empty());
  EXPECT_EQ(change.own, 1U);
}

TEST(AlertLedger, AtMostSoManyFireAtOnce) {
  AlertLedger ledger(3);
  std::vector<JudgedStep> steps;
  AlertLedger::Names names;
  for (SeriesId id = 1; id <= static_cast<SeriesId>(AnomalyAlerts::kFiringMax) + 2; ++id) {
    steps.push_back(odd(1, id));
    names[id] = {"m", {{"id", std::to_string(id)}}};
  }
  const AlertLedger::Change change = ledger.observe(kDefaultTenant, steps, names, kNow);
  EXPECT_EQ(change.raised, AnomalyAlerts::kFiringMax);
  EXPECT_EQ(change.over_limit, 2U);
}

TEST(AlertLedger, NothingFiresForEver) {
  AlertLedger ledger(3);
  (void)told(ledger, {odd(1), normal(2)});
  EXPECT_TRUE(ledger.sweep(kNow + 59min, false).arrivals.empty());
  AlertLedger::Change silent = ledger.sweep(kNow + 61min, false);
  ASSERT_EQ(silent.arrivals.size(), 1U);
  EXPECT_EQ(silent.arrivals[0].status, AlertStatus::resolved);
  EXPECT_EQ(silent.arrivals[0].ends_at, minute(2)) << "the last that was heard of it";
  EXPECT_EQ(ledger.sweep(kNow, true).arrivals.size(), 1U) << "alerting was switched off";
  ledger.apply(std::move(silent));
  EXPECT_EQ(ledger.firing(), 0U);
}

TEST(AlertLedger, WhatIsStoredGoesOnAfterARestart) {
  AlertLedger before(2);
  const auto sent = told(before, {odd(1)});
  model::Episode episode;
  episode.alert_name = "SensusAnomaly";
  episode.labels = sent[0].labels;
  episode.annotations = sent[0].annotations;
  episode.starts_at = sent[0].starts_at;

  AlertLedger after(2);
  after.restore(kDefaultTenant, episode, kNow);
  EXPECT_TRUE(after.is_firing({kDefaultTenant, kLoad}));
  EXPECT_TRUE(told(after, {odd(1), odd(2)}).size() <= 1U);
  const auto ended = told(after, {normal(3), normal(4)});
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended[0].labels, sent[0].labels);
  EXPECT_EQ(ended[0].starts_at, sent[0].starts_at);
  EXPECT_EQ(ended[0].ends_at, minute(3));

  // One that has ended does not begin again when its steps come twice.
  episode.status = AlertStatus::resolved;
  episode.ends_at = minute(3);
  AlertLedger later(2);
  later.restore(kDefaultTenant, episode, kNow);
  EXPECT_TRUE(told(later, {odd(1), odd(2), normal(3)}).empty());
  EXPECT_EQ(told(later, {odd(9)}).size(), 1U);

  // Alerts of that name from elsewhere are not ours.
  episode.annotations = {};
  episode.status = AlertStatus::firing;
  AlertLedger foreign(2);
  foreign.restore(kDefaultTenant, episode, kNow);
  EXPECT_EQ(foreign.firing(), 0U);
}

}  // namespace
}  // namespace sensus::analysis
