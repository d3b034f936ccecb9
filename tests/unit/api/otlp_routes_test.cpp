#include "api_fixture.hpp"

#include "sensus/codec/otlp.hpp"

namespace sensus::api::test {
namespace {

// 2026-11-20T10:00:00Z, where the clock stands.
const std::string kTime = R"("timeUnixNano":"1795168800000000000")";

std::string metric_body(const std::string& metric) {
  return R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[)" + metric + "]}]}]}";
}
std::string gauge(const std::string& point) {
  return metric_body(R"({"name":"g","gauge":{"dataPoints":[{)" + kTime + "," + point + "}]}}");
}
std::string delta(const std::string& time, int value) {
  return metric_body(
      R"({"name":"d","sum":{"isMonotonic":true,"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":")" +
      time + R"(","asInt":)" + std::to_string(value) + "}]}}");
}

class Otlp : public ApiTest {
 protected:
  http::Response send(std::string body, const std::string& type = "application/json") {
    http::Headers headers;
    if (!type.empty()) {
      headers.add("Content-Type", type);
    }
    return call(http::Method::post, "/v1/metrics", {}, std::move(body), std::move(headers));
  }
  std::string metrics_page() { return world.metrics.render(); }
};

TEST_F(Otlp, JsonIsStoredAndAnsweredAsJson) {
  const http::Response response = send(gauge(R"("asInt":"3")"), "Application/JSON; charset=utf-8");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, "{}");
  ASSERT_EQ(world.flow.samples.size(), 1U);
  EXPECT_EQ(world.flow.samples.rows()[0].value, 3);
}

TEST_F(Otlp, ProtobufIsStoredAndAnsweredAsProtobuf) {
  // resource_metrics > scope_metrics > metrics > name "g", gauge > data_points > time,
  // as_double 1.5
  const std::string body(
      "\x0A\x1D\x12\x1B\x12\x19\x0A\x01g\x2A\x14\x0A\x12\x19\x00\x00\x00\x00\x00\x00\x00\x00\x21"
      "\x00\x00\x00\x00\x00\x00\xF8\x3F",
      31);
  const http::Response response = send(body, "application/x-protobuf");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/x-protobuf");
  EXPECT_TRUE(response.body.starts_with("\x0A"))
      << "the time of the epoch is outside the window: a partial success";
  EXPECT_NE(response.body.find("time_unix_nano"), std::string::npos);
  EXPECT_EQ(world.flow.samples.size(), 0U);
}

TEST_F(Otlp, AnEmptyRequestIsASuccessAndNoTransaction) {
  world.flow.error = make_error(Errc::unavailable, "must not be asked");
  EXPECT_EQ(send("", "application/x-protobuf").status, 200);
  EXPECT_EQ(send("", "application/x-protobuf").body, "");
  EXPECT_EQ(send("{}").body, "{}");
}

TEST_F(Otlp, WithoutAContentTypeTheBodyTells) {
  EXPECT_EQ(send(" {}", "").content_type, "application/json");
  EXPECT_EQ(send("", "").content_type, "application/x-protobuf");
}

TEST_F(Otlp, RejectedPointsAreAPartialSuccess) {
  const http::Response response = send(gauge(R"("x":"no value"},{)" + kTime + R"(,"asInt":1)"));
  EXPECT_EQ(response.status, 200);
  const json body = json::parse(response.body);
  EXPECT_EQ(body["partialSuccess"]["rejectedDataPoints"], "1");
  EXPECT_NE(body["partialSuccess"]["errorMessage"].get<std::string>().find("no value"),
            std::string::npos);
  EXPECT_EQ(world.flow.samples.size(), 1U);
  EXPECT_NE(metrics_page().find("sensus_api_otlp_points_rejected_total 1"), std::string::npos);
  EXPECT_EQ(world.log_lines.size(), 1U);
}

TEST_F(Otlp, ABodyThatCannotBeDecodedIsAStatus) {
  const http::Response response = send("{");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.content_type, "application/json");
  const json body = json::parse(response.body);
  EXPECT_EQ(body["code"], 3);
  EXPECT_NE(body["message"].get<std::string>().find("malformed JSON"), std::string::npos);
  EXPECT_NE(metrics_page().find("sensus_api_bodies_rejected_total{kind=\"otlp\"} 1"),
            std::string::npos);
  const http::Response protobuf = send("\x0A\x05", "application/x-protobuf");
  EXPECT_EQ(protobuf.status, 400);
  EXPECT_EQ(protobuf.content_type, "application/x-protobuf");
  EXPECT_TRUE(protobuf.body.starts_with(std::string("\x08\x03\x12", 3)));
}

TEST_F(Otlp, WhatCannotBeCommittedIs503AndNever500) {
  for (const Errc code : {Errc::overloaded, Errc::unavailable, Errc::timeout, Errc::in_doubt,
                          Errc::cancelled, Errc::internal, Errc::corrupt}) {
    world.flow.error = make_error(code, "not now");
    const http::Response response = send(gauge(R"("asInt":1)"));
    EXPECT_EQ(response.status, 503) << to_string(code);
    EXPECT_FALSE(response.headers.get("Retry-After").empty());
    EXPECT_EQ(json::parse(response.body)["code"], 14);
  }
}

TEST_F(Otlp, DeltasBecomeTotalsAndARetryCountsOnce) {
  send(delta("1795168800000000000", 5));
  EXPECT_EQ(world.flow.samples.rows()[0].value, 5);
  world.flow.error = make_error(Errc::unavailable, "not now");
  EXPECT_EQ(send(delta("1795168801000000000", 2)).status, 503);
  world.flow.error.reset();
  EXPECT_EQ(send(delta("1795168801000000000", 2)).status, 200);
  EXPECT_EQ(world.flow.samples.rows()[0].value, 7);
  EXPECT_NE(metrics_page().find("sensus_api_otlp_delta_series 1"), std::string::npos);
  send(delta("1795168800000000000", 5));
  EXPECT_NE(metrics_page().find("sensus_api_otlp_deltas_late_total 1"), std::string::npos);
}

TEST_F(Otlp, TotalsGoOnWhereTheStoredOnesEnd) {
  const auto series = model::hash_series_key(model::encode_series_key("d_total", {}));
  world.last_samples.stored = {{series, {at("2026-11-20T10:00:00Z"), 100}}};
  send(delta("1795168800000000000", 5));
  EXPECT_EQ(world.flow.samples.rows()[0].value, 100) << "it was counted before a crash took its answer";
  send(delta("1795168801000000000", 2));
  EXPECT_EQ(world.flow.samples.rows()[0].value, 102);
  EXPECT_EQ(world.last_samples.calls, 1U) << "known from then on";
  EXPECT_NE(metrics_page().find("sensus_api_otlp_delta_series_continued_total 1"), std::string::npos);
}

TEST_F(Otlp, WithoutTheStoredTotalTheSenderComesAgain) {
  world.last_samples.error = make_error(Errc::unavailable, "gone");
  EXPECT_EQ(send(delta("1795168800000000000", 5)).status, 503);
  EXPECT_EQ(send(gauge(R"("asInt":1)")).status, 200) << "who sends no increments does not wait for it";
  world.last_samples.error.reset();
  EXPECT_EQ(send(delta("1795168800000000000", 5)).status, 200);
  EXPECT_EQ(world.flow.samples.rows()[0].value, 5);
}

TEST_F(Otlp, ARefusedBodyLeavesNoTraceInTheTotals) {
  const std::string good = delta("1795168800000000000", 5);
  EXPECT_EQ(send(good.substr(0, good.size() - 1)).status, 400);
  send(good);
  EXPECT_EQ(world.flow.samples.rows()[0].value, 5);
}

TEST_F(Otlp, RefusalsOfTheServerAreAStatusAsWell) {
  const http::Router router = world.make();
  const auto found = router.find(http::Method::post, "/v1/metrics");
  const http::Route& route = *std::get<http::Router::Match>(found).route;
  EXPECT_EQ(route.content_encodings, (std::vector<std::string>{"gzip"}));
  EXPECT_EQ(route.content_types,
            (std::vector<std::string>{"application/json", "application/x-protobuf"}));
  http::Request request;
  request.headers.add("Content-Type", "application/x-protobuf");
  const http::Response large =
      route.refusal(request, http::Response::problem(413, "too_large", "Too large", "send less"));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(large.body, codec::render_otlp_status(codec::OtlpFormat::protobuf, 3, "send less"));
  const http::Response bug =
      route.refusal(request, http::Response::problem(500, "internal", "Failed", "a bug"));
  EXPECT_EQ(bug.status, 503);
  EXPECT_EQ(bug.headers.get("Retry-After"), "1");
}

TEST_F(Otlp, TheExampleOfTheDocumentIsTaken) {
  const json document = get_json("/openapi.json");
  const json& content = document["paths"]["/v1/metrics"]["post"]["requestBody"]["content"];
  EXPECT_TRUE(content.contains("application/x-protobuf"));
  const json& example = document["components"]["examples"]["otlp_metrics"]["value"];
  EXPECT_EQ(send(example.dump()).body, "{}");
  EXPECT_EQ(world.flow.samples.size(), 1U);
}

}  // namespace
}  // namespace sensus::api::test
