#include "api_fixture.hpp"

#include "sensus/codec/model_json.hpp"

namespace sensus::api::test {
namespace {

TEST_F(ApiTest, AlertsArePagedWithACursor) {
  const json body = get_json("/api/v1/alerts");
  ASSERT_EQ(body["items"].size(), 1U);
  EXPECT_EQ(body["items"][0]["id"], 42);
  EXPECT_EQ(body["items"][0]["labels"]["service"], "checkout");
  EXPECT_TRUE(body["items"][0]["ends_at"].is_null());
  const auto key = codec::parse_cursor(body["next_cursor"].get<std::string>());
  ASSERT_TRUE(key);
  EXPECT_EQ(key->id, 42);
  EXPECT_EQ(world.alerts.seen.limit, 50U);
}

TEST_F(ApiTest, LastAlertPageHasNullCursor) {
  world.alerts.page.next.reset();
  world.alerts.page.items.clear();
  EXPECT_EQ(get("/api/v1/alerts").body, R"({"items":[],"next_cursor":null})");
}

TEST_F(ApiTest, AlertFilterIsHandedOn) {
  const std::string cursor = codec::render_cursor({from_unix_us(11), 3});
  get("/api/v1/alerts", {{"status", "resolved"}, {"severity", "critical"}, {"alertname", "A"}, {"match", "x=\"1\""},
                         {"match", "y!=2"}, {"from", "0"}, {"to", "10"}, {"limit", "500"}, {"cursor", cursor}});
  const storage::AlertFilter& seen = world.alerts.seen;
  EXPECT_EQ(seen.status, model::AlertStatus::resolved);
  EXPECT_EQ(seen.severity, "critical");
  EXPECT_EQ(seen.alert_name, "A");
  ASSERT_EQ(seen.matchers.size(), 2U);
  EXPECT_EQ(seen.matchers[1].name, "y");
  EXPECT_EQ(seen.from, Timestamp{});
  EXPECT_EQ(seen.to, Timestamp{std::chrono::seconds{10}});
  EXPECT_EQ(seen.limit, 500U);
  ASSERT_TRUE(seen.after);
  EXPECT_EQ(seen.after->id, 3);
}

TEST_F(ApiTest, BadAlertFilterNamesTheParameter) {
  expect_problem(get("/api/v1/alerts", {{"limit", "0"}}), 400, "limit");
  expect_problem(get("/api/v1/alerts", {{"limit", "501"}}), 400, "limit");
  expect_problem(get("/api/v1/alerts", {{"status", "open"}}), 400, "status");
  expect_problem(get("/api/v1/alerts", {{"colour", "red"}}), 400, "colour");
  expect_problem(get("/api/v1/alerts", {{"from", "10"}, {"to", "10"}}), 400, "from");
}

TEST_F(ApiTest, StoreFailureIs503WithRetryAfter) {
  world.alerts.error = make_error(Errc::unavailable, "PostgreSQL is away");
  const http::Response response = get("/api/v1/alerts");
  expect_problem(response, 503);
  EXPECT_FALSE(response.headers.get("Retry-After").empty());
  expect_problem(get("/api/v1/alerts/42"), 503);
}

TEST_F(ApiTest, AlertComesWithItsAnalyses) {
  const json body = get_json("/api/v1/alerts/42");
  EXPECT_EQ(body["id"], 42);
  EXPECT_EQ(body["alert_name"], "HighLatency");
  ASSERT_EQ(body["analyses"].size(), 3U);
  EXPECT_EQ(body["llm_analysis"]["id"], 9);
  EXPECT_EQ(body["evidence_report"]["id"], 8);
  EXPECT_EQ(world.analyses.seen.alert_id, 42);
}

TEST_F(ApiTest, AlertWithoutAnalysesSaysNull) {
  world.analyses.rows.clear();
  const json body = get_json("/api/v1/alerts/42");
  EXPECT_TRUE(body["llm_analysis"].is_null());
  EXPECT_TRUE(body["evidence_report"].is_null());
  EXPECT_TRUE(body["analyses"].empty());
}

TEST_F(ApiTest, UnknownAlertIs404AndABadIdIs400) {
  expect_problem(get("/api/v1/alerts/999999"), 404);
  for (const char* id : {"abc", "0", "-1", "1.5", "99999999999999999999"}) {
    expect_problem(get(std::string("/api/v1/alerts/") + id), 400, "id");
  }
  expect_problem(get("/api/v1/alerts/42", {{"x", "1"}}), 400, "x");
}

TEST_F(ApiTest, ListsAreNotCached) {
  EXPECT_EQ(get("/api/v1/alerts").headers.get("Cache-Control"), "no-store");
}

}  // namespace
}  // namespace sensus::api::test
