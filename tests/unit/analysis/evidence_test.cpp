#include "sensus/analysis/evidence.hpp"

#include "explain_fixture.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sensus::analysis {
namespace {

using test_support::at;
using test_support::make_alert;
using test_support::make_anomaly;
using Json = nlohmann::json;

EvidenceInput input() {
  EvidenceInput out;
  out.alert = make_alert(7);
  out.window_from = at("2026-11-20T11:50:00Z");
  out.window_to = at("2026-11-20T12:06:00Z");
  return out;
}

const model::Labels kCheckout = {{"service", "checkout"}, {"instance", "web-1:80"}};

TEST(Evidence, SaysSoWhenNothingIsKnown) {
  const EvidenceReport report = build_evidence(input());
  EXPECT_TRUE(report.suspects.empty());
  EXPECT_EQ(report.confidence, 0);
  EXPECT_EQ(report.summary,
            "No anomaly was recorded in the 15 minutes before this alert started or the 1 minute after: the cause is not visible in the "
            "metrics that Sensus receives, or they arrive late. No other alert was active around that time. It did not fire in the 30 days "
            "before.");
}

TEST(Evidence, TheSummaryIsGoodEnoughWithoutAnLlm) {
  EvidenceInput in = input();
  in.anomalies.push_back(make_anomaly(1, "2026-11-20T12:03:00Z", 0.8, kCheckout));
  in.anomalies[0].metric_name = "http_errors";
  model::Episode other = make_alert(8);
  other.alert_name = "DiskFull";
  other.labels = {{"alertname", "DiskFull"}, {"instance", "db-1"}};
  in.other_alerts = {other};
  in.recurrence = {2, 5, at("2026-11-20T09:00:00Z"), at("2026-11-20T09:04:00Z")};
  EXPECT_EQ(build_evidence(in).summary,
            "Before this alert, http_errors of checkout rose to 12.1 (expected 0.9) at 12:03 UTC, 2 minutes before it started. Another alert "
            "was active around that time: DiskFull (db-1). It fired 5 times in the 30 days before, 2 of them in the last 24 hours; last "
            "at 2026-11-20T09:00:00Z for 4 minutes.");
}

TEST(Evidence, WhatCameBeforeOutranksWhatCameAfter) {
  EvidenceInput in = input();
  in.anomalies = {make_anomaly(1, "2026-11-20T12:05:30Z", 0.8, kCheckout), make_anomaly(2, "2026-11-20T12:04:00Z", 0.7, kCheckout)};
  const EvidenceReport report = build_evidence(in);
  ASSERT_EQ(report.suspects.size(), 2u);
  EXPECT_EQ(report.suspects[0].strongest.series_id, 2);
  in.anomalies.pop_back();
  EXPECT_TRUE(build_evidence(in).summary.starts_with("Nothing was anomalous before this alert; after it started, metric_1 of checkout rose"));
}

TEST(Evidence, AmongEarlierOnesTheNearerAndTheStrongerWin) {
  EvidenceInput in = input();
  in.anomalies = {make_anomaly(1, "2026-11-20T11:51:00Z", 0.8, kCheckout), make_anomaly(2, "2026-11-20T12:04:00Z", 0.8, kCheckout)};
  EXPECT_EQ(build_evidence(in).suspects[0].strongest.series_id, 2);
  in.anomalies[0].time = in.anomalies[1].time;
  in.anomalies[0].score = 0.9;
  EXPECT_EQ(build_evidence(in).suspects[0].strongest.series_id, 1);
}

TEST(Evidence, SharedLabelsOutrankAHigherScore) {
  EvidenceInput in = input();
  in.anomalies = {make_anomaly(1, "2026-11-20T12:04:00Z", 0.9, {{"service", "billing"}}), make_anomaly(2, "2026-11-20T12:04:00Z", 0.65, kCheckout)};
  const EvidenceReport report = build_evidence(in);
  EXPECT_EQ(report.suspects[0].strongest.series_id, 2);
  EXPECT_DOUBLE_EQ(report.suspects[0].label_overlap, 1);
  EXPECT_DOUBLE_EQ(report.suspects[1].label_overlap, 0);
  in.anomalies.pop_back();
  EXPECT_NE(build_evidence(in).summary.find("shares no identifying label"), std::string::npos);
}

TEST(Evidence, AnomaliesOfOneSeriesAreOneSuspect) {
  EvidenceInput in = input();
  in.anomalies = {make_anomaly(1, "2026-11-20T12:04:00Z", 0.7, kCheckout), make_anomaly(1, "2026-11-20T12:02:00Z", 0.65, kCheckout),
                  make_anomaly(1, "2026-11-20T12:03:00Z", 0.9, kCheckout)};
  const EvidenceReport report = build_evidence(in);
  ASSERT_EQ(report.suspects.size(), 1u);
  EXPECT_EQ(report.suspects[0].anomalous_steps, 3u);
  EXPECT_EQ(report.suspects[0].first_seen, at("2026-11-20T12:02:00Z"));
  EXPECT_DOUBLE_EQ(report.suspects[0].strongest.score, 0.9);
  EXPECT_NE(report.summary.find("it was anomalous from 12:02 UTC, 3 minutes before it started."), std::string::npos) << report.summary;
}

TEST(Evidence, WhatLiesOutsideTheWindowDoesNotCount) {
  EvidenceInput in = input();
  in.anomalies = {make_anomaly(1, "2026-11-20T11:49:59Z", 0.9, kCheckout), make_anomaly(2, "2026-11-20T12:06:00Z", 0.9, kCheckout),
                  make_anomaly(3, "2026-11-20T11:50:00Z", 0.9, kCheckout)};
  const EvidenceReport report = build_evidence(in);
  ASSERT_EQ(report.suspects.size(), 1u);
  EXPECT_EQ(report.suspects[0].strongest.series_id, 3);
}

TEST(Evidence, IsIndependentOfTheOrderOfItsInput) {
  EvidenceInput in = input();
  for (SeriesId i = 1; i < 20; ++i) {
    in.anomalies.push_back(make_anomaly(i, i % 2 == 0 ? "2026-11-20T12:04:00Z" : "2026-11-20T12:03:00Z", 0.7, kCheckout));
    in.other_alerts.push_back(make_alert(100 + i));
  }
  EvidenceInput reversed = in;
  std::reverse(reversed.anomalies.begin(), reversed.anomalies.end());
  std::reverse(reversed.other_alerts.begin(), reversed.other_alerts.end());
  EXPECT_EQ(build_evidence(in).data_json, build_evidence(reversed).data_json);
}

TEST(Evidence, ConfidenceGrowsWithTheGapToTheSecond) {
  EvidenceInput in = input();
  in.anomalies = {make_anomaly(1, "2026-11-20T12:04:00Z", 0.9, kCheckout)};
  const double alone = build_evidence(in).confidence;
  in.anomalies.push_back(make_anomaly(2, "2026-11-20T12:04:00Z", 0.89, kCheckout));
  const double crowded = build_evidence(in).confidence;
  EXPECT_GT(alone, crowded);
  EXPECT_GT(crowded, 0);
  EXPECT_LE(alone, 1);
}

TEST(Evidence, DataIsBoundedAndKeepsTheTotals) {
  EvidenceInput in = input();
  for (SeriesId i = 1; i <= 100; ++i) {
    in.anomalies.push_back(make_anomaly(i, "2026-11-20T12:04:00Z", 0.7, kCheckout));
    in.other_alerts.push_back(make_alert(100 + i));
  }
  const Json data = Json::parse(build_evidence(in).data_json);
  EXPECT_EQ(data["suspects"].size(), kSuspectsShown);
  EXPECT_EQ(data["suspects_total"], 100);
  EXPECT_EQ(data["other_alerts"].size(), kAlertsShown);
  EXPECT_EQ(data["other_alerts_total"], 100);
  EXPECT_EQ(data["window"]["from"], "2026-11-20T11:50:00Z");
  EXPECT_EQ(data["recurrence"]["previous_start"], nullptr);
  EXPECT_EQ(data["suspects"][0]["before_alert"], true);
  EXPECT_EQ(data["suspects"][0]["offset_s"], -60);
}

TEST(LabelOverlap, CountsIdentifyingLabelsOnly) {
  const model::Labels alert = {{"alertname", "X"}, {"severity", "critical"}, {"service", "a"}, {"namespace", "n"}};
  EXPECT_DOUBLE_EQ(label_overlap(alert, {{"service", "a"}, {"severity", "critical"}}), 0.5);
  EXPECT_DOUBLE_EQ(label_overlap(alert, {{"service", "b"}, {"namespace", "n"}}), 0.5);
  EXPECT_DOUBLE_EQ(label_overlap({{"alertname", "X"}}, {{"alertname", "X"}}), 0);
}

TEST(LabelOverlap, AnInstanceOnAnotherPortCountsHalf) {
  EXPECT_DOUBLE_EQ(label_overlap({{"instance", "db-1:9100"}}, {{"instance", "db-1:9187"}}), 0.5);
  EXPECT_DOUBLE_EQ(label_overlap({{"instance", "db-1:9100"}}, {{"instance", "db-2:9100"}}), 0);
}

}  // namespace
}  // namespace sensus::analysis
