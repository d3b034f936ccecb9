#include "api_fixture.hpp"

#include "sensus/codec/model_json.hpp"

namespace sensus::api::test {
namespace {

TEST_F(ApiTest, AnalysesAreListedByFilter) {
  const json body = get_json("/api/v1/analysis", {{"alert_id", "42"}, {"type", "llm_analysis"}, {"limit", "2"}});
  EXPECT_EQ(body["items"].size(), 3U);
  EXPECT_TRUE(body["next_cursor"].is_null());
  EXPECT_EQ(body["items"][0]["analysis_data"]["summary"], "checkout is slow");
  EXPECT_EQ(world.analyses.seen.alert_id, 42);
  EXPECT_EQ(world.analyses.seen.type, model::AnalysisType::llm_analysis);
  EXPECT_EQ(world.analyses.seen.limit, 2U);
}

TEST_F(ApiTest, BadAnalysisFilterNamesTheParameter) {
  expect_problem(get("/api/v1/analysis", {{"type", "guess"}}), 400, "type");
  expect_problem(get("/api/v1/analysis", {{"alert_id", "0"}}), 400, "alert_id");
  expect_problem(get("/api/v1/analysis", {{"from", "2"}, {"to", "1"}}), 400, "from");
}

TEST_F(ApiTest, LatestAnalysisIsOneObject) {
  EXPECT_EQ(get_json("/api/v1/analysis/latest")["id"], 9);
  expect_problem(get("/api/v1/analysis/latest", {{"limit", "1"}}), 400, "limit");
}

TEST_F(ApiTest, LatestAnalysisIs404WhenThereIsNone) {
  world.analyses.rows.clear();
  expect_problem(get("/api/v1/analysis/latest"), 404);
}

TEST_F(ApiTest, AnomaliesAreListedByFilter) {
  const json body = get_json("/api/v1/anomalies", {{"metric", "latency_seconds"}, {"match", "service=checkout"},
                                                   {"score_min", "0.7"}, {"start", "0"}, {"end", "9"}});
  EXPECT_EQ(body["items"][0]["score"], 0.8);
  EXPECT_EQ(body["items"][0]["features"]["value"], 2.5);
  const storage::AnomalyFilter& seen = world.analyses.seen_anomalies;
  EXPECT_EQ(seen.metric_name, "latency_seconds");
  EXPECT_EQ(seen.matchers.size(), 1U);
  EXPECT_EQ(seen.score_min, 0.7);
  EXPECT_EQ(seen.from, Timestamp{});
  expect_problem(get("/api/v1/anomalies", {{"score_min", "2"}}), 400, "score_min");
}

TEST_F(ApiTest, ModelsArePaged) {
  const std::string cursor = codec::render_cursor({from_unix_us(1), 9});
  const json body = get_json("/api/v1/models", {{"limit", "5"}, {"cursor", cursor}});
  EXPECT_EQ(body["items"][0]["algorithm"], "isolation_forest");
  EXPECT_EQ(world.models.seen_limit, 5U);
  ASSERT_TRUE(world.models.seen_after);
  EXPECT_EQ(world.models.seen_after->id, 9);
  expect_problem(get("/api/v1/models", {{"cursor", "nonsense"}}), 400, "cursor");
}

TEST_F(ApiTest, AnalysisStoreFailureIs503) {
  world.analyses.error = make_error(Errc::timeout, "PostgreSQL did not answer in time");
  for (const char* path : {"/api/v1/analysis", "/api/v1/analysis/latest", "/api/v1/anomalies"}) {
    expect_problem(get(path), 503);
  }
}

TEST_F(ApiTest, FeedbackIsKeptAndToldToTheDetectors) {
  const http::Response response = post("/api/v1/anomalies/42/feedback", R"({"verdict":"expected","comment":"nightly backup"})");
  EXPECT_EQ(response.status, 202) << response.body;
  EXPECT_EQ(json::parse(response.body), json::parse(R"({"id":1,"anomaly_id":42,"series_id":3,"verdict":"expected"})"));
  ASSERT_EQ(world.feedback.rows.size(), 1U);
  EXPECT_EQ(world.feedback.rows.front().comment, "nightly backup");
  EXPECT_EQ(world.model_wakes, 1);
}

TEST_F(ApiTest, FeedbackRefusesWhatItCannotLearn) {
  expect_problem(post("/api/v1/anomalies/42/feedback", "noise"), 400);
  expect_problem(post("/api/v1/anomalies/42/feedback", "{}"), 400, "verdict");
  expect_problem(post("/api/v1/anomalies/42/feedback", R"({"verdict":"bad"})"), 400, "verdict");
  expect_problem(post("/api/v1/anomalies/42/feedback", R"({"verdict":"noise","user":"me"})"), 400, "user");
  expect_problem(post("/api/v1/anomalies/42/feedback", R"({"verdict":"noise","comment":")" + std::string(4097, 'x') + "\"}"), 400, "comment");
  expect_problem(post("/api/v1/anomalies/7/feedback", R"({"verdict":"noise"})"), 404);
  EXPECT_TRUE(world.feedback.rows.empty());
  EXPECT_EQ(world.model_wakes, 0);
}

}  // namespace
}  // namespace sensus::api::test
