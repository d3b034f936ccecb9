#include "explain_fixture.hpp"

#include "support/coro_test.hpp"

namespace sensus::analysis {
namespace {

using test_support::Disposition;
using test_support::ExplainFixture;
using Json = nlohmann::json;
using Dispositions = std::vector<Disposition>;

class ExplainAlerts : public ExplainFixture {};

CORO_TEST_F(ExplainAlerts, AReportIsStoredAndTheLlmIsAsked) {
  make();
  analyses.known = {test_support::make_anomaly(1, "2026-11-20T12:04:00Z", 0.8, {{"service", "checkout"}})};
  std::vector<stream::Entry> entries{alert_entry(100, "created", 7)};
  Result<Dispositions> done = co_await worker->handle_alerts(std::move(entries));
  CO_ASSERT_OK(done);
  CO_ASSERT_EQ(*done, Dispositions{Disposition::ack});
  CO_ASSERT_EQ(analyses.stored.size(), 1u);
  const storage::NewAnalysis& report = analyses.stored[0];
  EXPECT_EQ(report.alert_id, 7);
  EXPECT_EQ(report.event_id, 100);
  EXPECT_EQ(report.type, model::AnalysisType::evidence_report);
  EXPECT_GT(report.confidence, 0);
  EXPECT_EQ(Json::parse(report.data_json)["suspects"].size(), 1u);
  CO_ASSERT_EQ(report.follow_ups.size(), 1u);
  EXPECT_EQ(report.follow_ups[0].topic, model::Topic::explanations);
  const Json request = Json::parse(report.follow_ups[0].payload);
  EXPECT_EQ(request["alert_id"], 7);
  EXPECT_EQ(request["event_id"], 100);
  EXPECT_EQ(request["report"], Json::parse(report.data_json));
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(reports("stored"), 1);
}

CORO_TEST_F(ExplainAlerts, WithoutAnLlmTheReportStandsAlone) {
  llm_options.url.clear();
  make();
  std::vector<stream::Entry> entries{alert_entry(100, "reopened", 7)};
  Result<Dispositions> done = co_await worker->handle_alerts(std::move(entries));
  CO_ASSERT_OK(done);
  CO_ASSERT_EQ(analyses.stored.size(), 1u);
  EXPECT_TRUE(analyses.stored[0].follow_ups.empty());
}

CORO_TEST_F(ExplainAlerts, TheWindowEndsNow) {
  make();
  std::vector<stream::Entry> entries{alert_entry(100, "created", 7)};
  Result<Dispositions> done = co_await worker->handle_alerts(std::move(entries));
  CO_ASSERT_OK(done);
  CO_ASSERT_EQ(analyses.filters.size(), 1u);
  EXPECT_EQ(*analyses.filters[0].from, test_support::at("2026-11-20T11:50:00Z"));
  EXPECT_EQ(*analyses.filters[0].to, test_support::at("2026-11-20T12:06:00Z"));
}

CORO_TEST_F(ExplainAlerts, InAFloodOfAnomaliesTheAlertsOwnAreLookedForAgain) {
  options.anomalies_max = 10;
  make();
  for (SeriesId i = 1; i <= 50; ++i) {
    analyses.known.push_back(test_support::make_anomaly(i, "2026-11-20T12:04:30Z", 0.9, {{"service", "noise"}}));
  }
  analyses.known.push_back(test_support::make_anomaly(99, "2026-11-20T12:04:00Z", 0.9, {{"service", "checkout"}, {"instance", "web-1:80"}}));
  std::vector<stream::Entry> entries{alert_entry(100, "created", 7)};
  Result<Dispositions> done = co_await worker->handle_alerts(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(analyses.filters.size(), 2u);
  const Json data = Json::parse(analyses.stored.at(0).data_json);
  EXPECT_EQ(data["suspects"][0]["series_id"], 99);
  EXPECT_EQ(data["suspects_total"], 11);
}

CORO_TEST_F(ExplainAlerts, ResolvedAndVanishedAlertsAreFinished) {
  make();
  std::vector<stream::Entry> entries{alert_entry(100, "resolved", 7), alert_entry(101, "created", 404)};
  Result<Dispositions> done = co_await worker->handle_alerts(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, (Dispositions{Disposition::ack, Disposition::ack}));
  std::sort(outbox.finished.begin(), outbox.finished.end());
  EXPECT_EQ(outbox.finished, (std::vector<EventId>{100, 101}));
  EXPECT_TRUE(analyses.stored.empty());
  EXPECT_EQ(reports("nothing_to_do"), 1);
  EXPECT_EQ(reports("alert_gone"), 1);
}

CORO_TEST_F(ExplainAlerts, MalformedEntriesAreDeadLettersAndSpareTheirNeighbours) {
  make();
  std::vector<stream::Entry> entries{alert_entry(100, "created", 7), alert_entry(101, "created", 7), alert_entry(102, "exploded", 7)};
  entries[0].event.payload = "{\"alert_id\":";
  Result<Dispositions> done = co_await worker->handle_alerts(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, (Dispositions{Disposition::dead_letter, Disposition::ack, Disposition::dead_letter}));
  EXPECT_EQ(reports("malformed"), 2);
}

CORO_TEST_F(ExplainAlerts, AnOutageLeavesTheBatchPendingAndTheNextTryHasNoSecondEffect) {
  make();
  alerts.episodes[8] = test_support::make_alert(8);
  analyses.failures.push_back(make_error(Errc::unavailable, "PostgreSQL is away"));
  std::vector<stream::Entry> entries{alert_entry(100, "created", 7), alert_entry(101, "created", 8)};
  Result<Dispositions> first = co_await worker->handle_alerts(entries);
  CO_ASSERT_TRUE(!first);
  EXPECT_EQ(first.error().code, Errc::unavailable);
  EXPECT_EQ(analyses.stored.size(), 1u);
  Result<Dispositions> second = co_await worker->handle_alerts(entries);
  CO_ASSERT_OK(second);
  EXPECT_EQ(analyses.stored.size(), 2u);
  EXPECT_EQ(reports("postponed"), 1);
}

CORO_TEST_F(ExplainAlerts, ALastingErrorIsRetriedUntilItIsADeadLetter) {
  make();
  alerts.failures.push_back(make_error(Errc::corrupt, "labels are no object"));
  std::vector<stream::Entry> entries{alert_entry(100, "created", 7)};
  Result<Dispositions> done = co_await worker->handle_alerts(std::move(entries));
  CO_ASSERT_OK(done);
  EXPECT_EQ(*done, Dispositions{Disposition::retry});
}

CORO_TEST_F(ExplainAlerts, ALargeBatchKeepsItsOrder) {
  make();
  std::vector<stream::Entry> entries;
  for (EventId id = 1; id <= 100; ++id) {
    entries.push_back(alert_entry(id, "created", 7));
    if (id % 10 == 0) {
      entries.back().event.payload = "broken";
    }
  }
  Result<Dispositions> done = co_await worker->handle_alerts(std::move(entries));
  CO_ASSERT_OK(done);
  CO_ASSERT_EQ(done->size(), 100u);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ((*done)[i], (i + 1) % 10 == 0 ? Disposition::dead_letter : Disposition::ack) << i;
  }
  EXPECT_EQ(analyses.stored.size(), 90u);
}

}  // namespace
}  // namespace sensus::analysis
