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
  EXPECT_EQ(world.samples.seen_series.selector, (model::Selector{{"job", model::SeriesMatchOp::equal, "a"}}));
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
           {"avg", storage::Aggregation::avg}, {"last", storage::Aggregation::last},
           {"sum", storage::Aggregation::sum}, {"count", storage::Aggregation::count},
           {"rate", storage::Aggregation::rate}, {"p50", storage::Aggregation::p50},
           {"p95", storage::Aggregation::p95}, {"p99", storage::Aggregation::p99}}) {
    const json body = get_json("/api/v1/query_range", {{"metric", "m"}, {"start", "1795165200"}, {"end", "1795165500"},
                                                       {"step", "60"}, {"agg", name}});
    EXPECT_EQ(world.samples.seen_range.aggregation, value);
    EXPECT_EQ(body["aggregation"], name);
  }
  EXPECT_EQ(world.samples.seen_range.step, std::chrono::minutes{1});
}

TEST_F(ApiTest, SelectorsAndMatchersAreJoined) {
  using enum model::SeriesMatchOp;
  const model::Selector expected{{"__name__", equal, "up"}, {"job", regex, "a|b"}, {"zone", not_regex, "x.*"}};
  get_json("/api/v1/query_range", {{"query", "up{job=~\"a|b\"}"}, {"match", "zone!~\"x.*\""}});
  EXPECT_EQ(world.samples.seen_range.selector, expected);
  EXPECT_EQ(world.samples.seen_range.metric_name, "");
  const json named = get_json("/api/v1/query_range", {{"query", "{job=\"a\"}"}, {"metric", "cpu"}});
  EXPECT_EQ(named["metric_name"], "cpu");
  EXPECT_EQ(get_json("/api/v1/query_range", {{"query", "up"}})["metric_name"], "up");
  get_json("/api/v1/series", {{"match[]", "up{job=~\"a|b\"}"}, {"match", "zone!~x.*"}});
  EXPECT_EQ(world.samples.seen_series.selector, expected);
  expect_problem(get("/api/v1/query_range", {}), 400, "metric");
  expect_problem(get("/api/v1/query_range", {{"match", "a=b"}}), 400, "metric");
  const auto refused = get("/api/v1/query_range", {{"query", "rate(up[5m])"}});
  expect_problem(refused, 400, "query");
  EXPECT_NE(refused.body.find("character 5"), std::string::npos) << refused.body;
}

TEST_F(ApiTest, RangeInGroups) {
  world.samples.range_series = 3;
  get_json("/api/v1/query_range", {{"metric", "m"}, {"by", "job, instance"}, {"agg", "rate"}});
  EXPECT_EQ(world.samples.seen_range.by, (std::vector<std::string>{"job", "instance"}));
  EXPECT_EQ(world.samples.seen_range.series_max, 10'000U);
  const json cut = get_json("/api/v1/query_range", {{"metric", "m"}, {"by", "job"}, {"limit", "2"}});
  EXPECT_EQ(cut["by"], json::parse(R"(["job"])"));
  EXPECT_EQ(cut["series"].size(), 2U);
  EXPECT_EQ(cut["truncated"], true);
  for (const std::string by : {"a,", ",", "a,a", " ", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}) {
    expect_problem(get("/api/v1/query_range", {{"metric", "m"}, {"by", by}}), 400, "by");
  }
}

TEST_F(ApiTest, RangesHaveALongestTime) {
  get_json("/api/v1/query_range", {{"metric", "m"}, {"from", "2021-11-20T10:00:00Z"}, {"to", "2026-11-20T10:00:00Z"}, {"step", "1d"}});
  expect_problem(get("/api/v1/query_range", {{"metric", "m"}, {"from", "2021-11-01T10:00:00Z"}, {"to", "2026-11-20T10:00:00Z"}, {"step", "1d"}}),
                 400, "from");
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
