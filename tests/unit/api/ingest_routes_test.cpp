#include "api_fixture.hpp"

namespace sensus::api::test {
namespace {

TEST_F(ApiTest, OneSampleIsAccepted) {
  const http::Response response = post("/api/v1/metrics", R"({"metric_name":"m","metric_value":1.5,"labels":{"a":"b"}})");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, R"({"accepted":1})");
  ASSERT_EQ(world.flow.samples.size(), 1U);
  EXPECT_EQ(world.flow.samples.rows()[0].value, 1.5);
  EXPECT_EQ(world.flow.samples.rows()[0].time, world.clock.now());
}

TEST_F(ApiTest, SeveralSamplesAreCounted) {
  EXPECT_EQ(post("/api/v1/metrics", R"([{"metric_name":"m","metric_value":1},{"metric_name":"m","metric_value":2}])").body,
            R"({"accepted":2})");
}

TEST_F(ApiTest, BadSampleIsARejectedBodyCountedAndLogged) {
  expect_problem(post("/api/v1/metrics", R"([{"metric_name":"m","metric_value":1},{"metric_value":2}])"), 400,
                 "[1].metric_name");
  EXPECT_TRUE(world.flow.samples.empty());
  EXPECT_NE(world.metrics.render().find("sensus_api_bodies_rejected_total{kind=\"metrics\"} 1"), std::string::npos);
  ASSERT_EQ(world.log_lines.size(), 1U);
  EXPECT_NE(world.log_lines[0].find("10.0.0.7"), std::string::npos);
  EXPECT_EQ(world.log_lines[0].find("metric_value"), std::string::npos) << "the body must not be logged";
}

TEST_F(ApiTest, AMetricsPageIsImported) {
  http::Headers form;  // What curl says of --data-binary.
  form.add("Content-Type", "application/x-www-form-urlencoded");
  const std::string page = "# TYPE m counter\nm{a=\"b\"} 1.5\nm{a=\"c\"} 2\n";
  const http::Response response = call(http::Method::post, "/api/v1/import/prometheus", {}, page, form);
  EXPECT_EQ(response.status, 202) << response.body;
  EXPECT_EQ(response.body, R"({"accepted":2})");
  EXPECT_EQ(world.flow.samples.rows().at(1).value, 2);
  EXPECT_EQ(world.flow.samples.rows().at(1).time, world.clock.now());
}

TEST_F(ApiTest, ABadLineRefusesThePageAndIsNamed) {
  expect_problem(post("/api/v1/import/prometheus", "m 1\nm one\n"), 400, "line 2");
  EXPECT_TRUE(world.flow.samples.empty());
  EXPECT_NE(world.metrics.render().find("sensus_api_bodies_rejected_total{kind=\"import\"} 1"), std::string::npos);
  world.flow.error = make_error(Errc::unavailable, "not now");
  expect_problem(post("/api/v1/import/prometheus", "m 1\n"), 503);
}

TEST_F(ApiTest, WhatIngestCannotCommitIs503) {
  for (const Errc code : {Errc::overloaded, Errc::unavailable, Errc::timeout, Errc::in_doubt, Errc::cancelled}) {
    world.flow.error = make_error(code, "not now");
    const http::Response samples = post("/api/v1/metrics", R"({"metric_name":"m","metric_value":1})");
    expect_problem(samples, 503);
    EXPECT_FALSE(samples.headers.get("Retry-After").empty());
    expect_problem(post("/api/v1/alerts", R"([{"labels":{"alertname":"A"}}])"), 503);
  }
}

TEST_F(ApiTest, QueryOfAnIngestUrlIsIgnored) {
  EXPECT_EQ(call(http::Method::post, "/api/v1/metrics", {{"source", "x"}}, R"({"metric_name":"m","metric_value":1})").status,
            202);
}

TEST_F(ApiTest, AlertOutcomesAreCounted) {
  world.flow.outcomes = {{42, model::MergeAction::create}, {43, model::MergeAction::refresh}, {44, model::MergeAction::resolve},
                         {45, model::MergeAction::reopen}};
  const http::Response response = post("/api/v1/alerts", R"([{"labels":{"alertname":"A"}},{"labels":{"alertname":"B"}},
      {"labels":{"alertname":"C"},"status":"resolved"},{"labels":{"alertname":"D"}}])");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body, R"({"accepted":3,"duplicate":1,"quarantined":0,"ids":[42,43,44,45]})");
}

TEST_F(ApiTest, BadAlertIsCountedBesideTheGoodOne) {
  const http::Response response = post("/api/v1/alerts", R"([{"labels":{"alertname":"A"}},{"labels":{"severity":"x"}}])");
  EXPECT_EQ(response.body, R"({"accepted":1,"duplicate":0,"quarantined":1,"ids":[42]})");
  EXPECT_EQ(world.flow.alerts.quarantined.size(), 1U);
}

TEST_F(ApiTest, OnlyBadAlertsAreStillHandedOn) {
  const http::Response response = post("/api/v1/alerts", R"([{"labels":{"severity":"x"}}])");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body, R"({"accepted":0,"duplicate":0,"quarantined":1,"ids":[]})");
  EXPECT_EQ(world.flow.alert_calls, 1U);
}

TEST_F(ApiTest, NoAlertsNeedNoTransaction) {
  EXPECT_EQ(post("/api/v1/alerts", "[]").body, R"({"accepted":0,"duplicate":0,"quarantined":0,"ids":[]})");
  EXPECT_EQ(world.flow.alert_calls, 0U);
}

TEST_F(ApiTest, TruncatedNotificationIsHandedOn) {
  const char* body = R"({"version":"4","truncatedAlerts":7,"receiver":"sensus","alerts":[]})";
  EXPECT_EQ(post("/api/v1/alerts", body).status, 202);
  EXPECT_EQ(world.flow.alert_calls, 1U);
  EXPECT_EQ(world.flow.alerts.truncated_alerts, 7U);
}

TEST_F(ApiTest, MalformedAlertBodyIsRefused) {
  for (const char* body : {"{", "7", R"({"version":"3","alerts":[]})", R"({"version":"4"})"}) {
    EXPECT_EQ(post("/api/v1/alerts", body).status, 400) << body;
  }
  EXPECT_EQ(world.flow.alert_calls, 0U);
}

}  // namespace
}  // namespace sensus::api::test
