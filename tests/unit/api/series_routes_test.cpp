#include "api_fixture.hpp"

namespace sensus::api::test {
namespace {

TEST_F(ApiTest, SeriesPagesEndWithNull) {
  const json first = get_json("/api/v1/series", {{"limit", "2"}});
  ASSERT_EQ(first["items"].size(), 2U);
  EXPECT_EQ(first["items"][0]["metric_name"], "latency_seconds");
  EXPECT_EQ(world.samples.seen_series.after, 0);
  get("/api/v1/series", {{"limit", "2"}, {"cursor", first["next_cursor"].get<std::string>()}});
  EXPECT_EQ(world.samples.seen_series.after, 2);
  EXPECT_TRUE(get_json("/api/v1/series", {{"limit", "3"}})["next_cursor"].is_null());
}

TEST_F(ApiTest, SeriesFilterIsHandedOn) {
  get("/api/v1/series", {{"metric", "up"}, {"match", "job=\"a\""}});
  EXPECT_EQ(world.samples.seen_series.metric_name, "up");
  ASSERT_EQ(world.samples.seen_series.matchers.size(), 1U);
  expect_problem(get("/api/v1/series", {{"match", "job"}}), 400, "match");
}

TEST_F(ApiTest, RangeDefaultsToTheLastHour) {
  const json body = get_json("/api/v1/query_range", {{"metric", "latency_seconds"}});
  EXPECT_EQ(world.samples.seen_range.to, at("2026-11-20T10:00:00Z"));
  EXPECT_EQ(world.samples.seen_range.from, at("2026-11-20T09:00:00Z"));
  EXPECT_EQ(world.samples.seen_range.aggregation, storage::Aggregation::avg);
  EXPECT_EQ(body["step_seconds"], 15);
  EXPECT_EQ(body["aggregation"], "avg");
  EXPECT_EQ(body["truncated"], false);
  ASSERT_EQ(body["series"].size(), 1U);
  EXPECT_EQ(body["series"][0]["points"], json::parse(R"([["2026-11-20T09:00:00Z",1.5],["2026-11-20T09:00:15Z",-2e20]])"));
}

TEST_F(ApiTest, RangeTakesPrometheusNamesAndEveryAggregation) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, storage::Aggregation>>{
           {"min", storage::Aggregation::min}, {"max", storage::Aggregation::max},
           {"avg", storage::Aggregation::avg}, {"last", storage::Aggregation::last}}) {
    const json body = get_json("/api/v1/query_range", {{"metric", "m"}, {"start", "1795165200"}, {"end", "1795165500"},
                                                       {"step", "60"}, {"agg", name}});
    EXPECT_EQ(world.samples.seen_range.aggregation, value);
    EXPECT_EQ(body["aggregation"], name);
  }
  EXPECT_EQ(world.samples.seen_range.step, std::chrono::minutes{1});
}

TEST_F(ApiTest, RangeTellsThatThereAreMoreSeries) {
  world.samples.range_series = 3;
  const json cut = get_json("/api/v1/query_range", {{"metric", "m"}, {"limit", "2"}});
  EXPECT_EQ(cut["series"].size(), 2U);
  EXPECT_EQ(cut["truncated"], true);
  const json whole = get_json("/api/v1/query_range", {{"metric", "m"}, {"limit", "3"}});
  EXPECT_EQ(whole["series"].size(), 3U);
  EXPECT_EQ(whole["truncated"], false);
}

TEST_F(ApiTest, SeriesWithoutPointsAreLeftOutButCountAsMore) {
  world.samples.range_series = 3;
  world.samples.empty_series = 1;
  const json cut = get_json("/api/v1/query_range", {{"metric", "m"}, {"limit", "2"}});
  ASSERT_EQ(cut["series"].size(), 1U);
  EXPECT_EQ(cut["series"][0]["series_id"], 2);
  EXPECT_EQ(cut["truncated"], true);
}

TEST_F(ApiTest, RangeReplyIsBounded) {
  const Query base = {{"metric", "m"}, {"from", "1795165200"}};
  const auto with = [&base](Query more) {
    more.insert(more.begin(), base.begin(), base.end());
    return more;
  };
  // 10,999 s in steps of 1 s are 11,000 steps; one second more is one too many.
  EXPECT_EQ(get("/api/v1/query_range", with({{"to", "1795176199"}, {"step", "1"}})).status, 200);
  expect_problem(get("/api/v1/query_range", with({{"to", "1795176200"}, {"step", "1"}})), 400, "step");
  EXPECT_EQ(get("/api/v1/query_range", with({{"to", "1795176199"}, {"step", "1"}, {"limit", "18"}})).status, 200);
  expect_problem(get("/api/v1/query_range", with({{"to", "1795176199"}, {"step", "1"}, {"limit", "19"}})), 400, "limit");
}

TEST_F(ApiTest, BadRangeNamesTheParameter) {
  expect_problem(get("/api/v1/query_range"), 400, "metric");
  expect_problem(get("/api/v1/query_range", {{"metric", "m"}, {"step", "-1"}}), 400, "step");
  expect_problem(get("/api/v1/query_range", {{"metric", "m"}, {"agg", "median"}}), 400, "agg");
  expect_problem(get("/api/v1/query_range", {{"metric", "m"}, {"from", "2026-11-20T11:00:00Z"}}), 400, "from");
}

TEST_F(ApiTest, SampleStoreFailureIsPassedOn) {
  world.samples.error = make_error(Errc::unavailable, "PostgreSQL is away");
  expect_problem(get("/api/v1/series"), 503);
  expect_problem(get("/api/v1/query_range", {{"metric", "m"}}), 503);
}

}  // namespace
}  // namespace sensus::api::test
