#include "api_fixture.hpp"

#include <algorithm>
#include <set>

namespace sensus::api::test {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

class OpenApi : public ApiTest {
 protected:
  json document() { return get_json("/openapi.json"); }
};

TEST_F(OpenApi, DescribesExactlyTheRoutes) {
  std::set<std::string> served;
  const http::Router router = world.make();
  for (const http::Route& route : router.routes()) {
    served.insert(lower(http::to_string(route.method)) + " " + route.pattern);
  }
  std::set<std::string> described;
  const json body = document();
  for (const auto& [path, item] : body["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      described.insert(method + " " + path);
    }
  }
  EXPECT_EQ(served, described);
  EXPECT_GT(served.size(), 20U);
}

TEST_F(OpenApi, LeavesForeignRoutesOut) {
  http::Router router = world.make();
  router.add({.method = http::Method::get, .pattern = "/console", .handler = router.routes().front().handler});
  const json body = json::parse(render_openapi(router, "1"));
  EXPECT_FALSE(body["paths"].contains("/console"));
}

void collect_refs(const json& node, std::set<std::string>& refs) {
  if (node.is_object() && node.contains("$ref")) {
    refs.insert(node["$ref"].get<std::string>());
  }
  for (const auto& child : node) {
    if (child.is_structured()) {
      collect_refs(child, refs);
    }
  }
}

TEST_F(OpenApi, ReferencesResolveAndNoSchemaIsUnused) {
  const json body = document();
  std::set<std::string> refs;
  collect_refs(body, refs);
  for (const std::string& ref : refs) {
    EXPECT_TRUE(body.contains(json::json_pointer(ref.substr(1)))) << ref;
  }
  for (const auto& [name, schema] : body["components"]["schemas"].items()) {
    EXPECT_TRUE(refs.contains("#/components/schemas/" + name)) << name;
  }
}

TEST_F(OpenApi, OperationsAreComplete) {
  const json body = document();
  std::set<std::string> tags;
  for (const json& tag : body["tags"]) {
    tags.insert(tag["name"]);
  }
  std::set<std::string> ids;
  for (const auto& [path, item] : body["paths"].items()) {
    for (const auto& [method, operation] : item.items()) {
      EXPECT_TRUE(ids.insert(operation["operationId"]).second) << "operationId twice: " << path;
      EXPECT_TRUE(operation["tags"].is_array() && tags.contains(operation["tags"][0])) << path;
      EXPECT_FALSE(operation["summary"].get<std::string>().empty()) << path;
      EXPECT_TRUE(operation["responses"].contains("default")) << path;
      for (const json& parameter : operation.value("parameters", json::array())) {
        EXPECT_FALSE(parameter.value("description", parameter["in"] == "path" ? "-" : "").empty()) << path << parameter;
        EXPECT_TRUE(parameter["schema"].is_object()) << path << parameter;
      }
    }
  }
}

/// The value of a parameter's example as it stands in a URL.
std::string example_of(const json& parameter) {
  const json& example = parameter["example"];
  const json& one = example.is_array() ? example[0] : example;
  return one.is_string() ? one.get<std::string>() : one.dump();
}

TEST_F(OpenApi, ExamplesOfParametersAreAccepted) {
  const json body = document();
  for (const auto& [path, item] : body["paths"].items()) {
    if (!item.contains("get")) {
      continue;
    }
    const json parameters = item["get"].value("parameters", json::array());
    for (const json& parameter : parameters) {
      if (parameter["in"] != "query" || !parameter.contains("example")) {
        continue;
      }
      Query query{{parameter["name"], example_of(parameter)}};
      if (path == "/api/v1/query_range" && parameter["name"] != "metric") {
        query.emplace_back("metric", "m");
      }
      if (path == "/api/v1/forecast" && parameter["name"] != "series") {
        query.emplace_back("series", "m");
      }
      if (path == "/api/v1/forecast" && parameter["name"] == "direction") {
        query.emplace_back("limit", "1");
      }
      if (parameter["name"] == "to" || parameter["name"] == "end") {
        query.emplace_back("from", "1790000000");
        query.emplace_back("step", "30d");
        if (path != "/api/v1/query_range") {
          query.pop_back();
        }
      }
      EXPECT_EQ(get(path, query).status, 200) << path << " " << parameter;
    }
  }
}

TEST_F(OpenApi, ExamplesOfBodiesAreAccepted) {
  const json body = document();
  for (const char* path : {"/api/v1/metrics", "/api/v1/alerts"}) {
    const json& examples = body["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"];
    EXPECT_GE(examples.size(), 2U);
    for (const auto& [name, reference] : examples.items()) {
      const json& example = body["components"]["examples"][name];
      const http::Response response = post(path, example["value"].dump());
      EXPECT_EQ(response.status, 202) << name << response.body;
      EXPECT_EQ(json::parse(response.body).value("quarantined", 0), 0) << name;
    }
  }
}

TEST_F(OpenApi, IngestRoutesHaveTheirLimitsAndTypes) {
  const http::Router router = world.make();
  for (const http::Route& route : router.routes()) {
    const bool ingest = route.pattern == "/api/v1/metrics" || route.pattern == "/api/v1/read" || route.pattern == "/api/v1/write" || route.pattern == "/v1/metrics" ||
                        route.pattern == "/api/v1/import/prometheus" || (route.pattern == "/api/v1/alerts" && route.method == http::Method::post);
    EXPECT_EQ(route.body_limit == world.options.body_limit.bytes, ingest) << route.pattern;
    const bool reads_json = route.pattern == "/api/v1/anomalies/{id}/feedback";
    EXPECT_EQ(!route.content_types.empty(), reads_json || (ingest && route.pattern != "/api/v1/import/prometheus")) << route.pattern;
  }
}

TEST_F(OpenApi, ProbesAreNeverRefusedForAccept) {
  const http::Router router = world.make();
  for (const http::Route& route : router.routes()) {
    const bool probe = route.pattern.starts_with("/health") || route.pattern.starts_with("/-/") || route.pattern == "/metrics";
    EXPECT_FALSE(probe && !route.produces.empty()) << route.pattern;
    const bool read = route.method == http::Method::get && route.pattern.starts_with("/api/");
    EXPECT_FALSE(read && route.produces.empty()) << route.pattern;
  }
}

}  // namespace
}  // namespace sensus::api::test
