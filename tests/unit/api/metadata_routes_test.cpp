#include "api_fixture.hpp"

namespace sensus::api::test {
namespace {

TEST_F(ApiTest, MetadataHasTheShapeOfPrometheus) {
  const json body = get_json("/api/v1/metadata");
  const json expected = {
      {"status", "success"},
      {"data",
       {{"latency_seconds", {{{"type", "gauge"}, {"help", "How \"long\"."}, {"unit", "seconds"}}}},
        {"requests_total", {{{"type", "counter"}, {"help", ""}, {"unit", ""}}}}}}};
  EXPECT_EQ(body, expected) << body.dump();
  EXPECT_EQ(world.metadata.seen.limit, 1001U) << "one more tells whether there are more";
  EXPECT_EQ(world.metadata.seen.family, "");
}

TEST_F(ApiTest, MetadataIsLimitedAndSaysSo) {
  const json body = get_json("/api/v1/metadata", {{"limit", "1"}, {"metric", "latency_seconds"}});
  EXPECT_EQ(body["data"].size(), 1U);
  EXPECT_EQ(body["warnings"].size(), 1U);
  EXPECT_EQ(world.metadata.seen.family, "latency_seconds");
  EXPECT_FALSE(get_json("/api/v1/metadata", {{"limit", "2"}}).contains("warnings"));
  expect_problem(get("/api/v1/metadata", {{"limit", "0"}}), 400, "limit");
  expect_problem(get("/api/v1/metadata", {{"limit", "10001"}}), 400, "limit");
  expect_problem(get("/api/v1/metadata", {{"limit_per_metric", "1"}}), 400, "limit_per_metric");
}

TEST_F(ApiTest, MetadataOfNoneIsAnEmptyObject) {
  world.metadata.families.clear();
  EXPECT_EQ(get_json("/api/v1/metadata"), json({{"status", "success"}, {"data", json::object()}}));
}

TEST_F(ApiTest, MetadataWithoutADatabaseIs503) {
  world.metadata.error = make_error(Errc::unavailable, "gone");
  expect_problem(get("/api/v1/metadata"), 503);
  expect_problem(get("/api/v1/series"), 503);
}

TEST_F(ApiTest, SeriesComeWithWhatIsSaidOfTheirMetric) {
  world.samples.series[1].metric_name = "unheard_of";
  const json items = get_json("/api/v1/series")["items"];
  EXPECT_EQ(items[0]["metadata"]["type"], "gauge");
  EXPECT_EQ(items[0]["metadata"]["unit"], "seconds");
  EXPECT_TRUE(items[1]["metadata"].is_null());
}

}  // namespace
}  // namespace sensus::api::test
