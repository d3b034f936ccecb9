#include "conformance.hpp"

#include "unit/codec/otlp_messages.hpp"

#include <algorithm>
#include <cmath>

// What https://opentelemetry.io/docs/specs/otlp/ and the OpenTelemetry rules for Prometheus ask of
// a receiver of metrics, a test a sentence.

namespace sensus::api::test {
namespace {

namespace wire = codec::test;  // The writer of protobuf.

constexpr const char* kProtobufType = "application/x-protobuf";
constexpr const char* kJsonType = "application/json";

class OtlpHttp : public Conformance {
 protected:
  http::test::RawResponse send(const std::string& body, const std::string& type) {
    return post("/v1/metrics", {{"Content-Type", type}}, body);
  }
  static std::string json_of(const std::string& metric, const std::string& beside = "") {
    return R"({"resourceMetrics":[{)" + beside + R"("scopeMetrics":[{"metrics":[)" + metric +
           "]}]}]}";
  }
  /// `data` of one point now, e.g. `"gauge":{"dataPoints":[{POINT}]}`.
  static std::string points(const std::string& kind, const std::string& point,
                            const std::string& more = "") {
    return R"({"name":"m",")" + kind + R"(":{)" + more +
           R"("dataPoints":[{"timeUnixNano":"1795168800000000000",)" + point + "}]}}";
  }
  static std::string gauge_of(const std::string& point) { return json_of(points("gauge", point)); }
  [[nodiscard]] bool has(const std::string& series) const {
    const Texts all = stored();
    return std::find(all.begin(), all.end(), series) != all.end();
  }
  const std::string good_protobuf = wire::one_metric(wire::gauge("m", wire::Number{}.bytes()));
  const std::string good_json = gauge_of(R"("asInt":1)");
};

TEST_F(OtlpHttp, FullSuccessIsAnEmptyMessageOfTheRequestsType) {
  const auto protobuf = send(good_protobuf, kProtobufType);
  EXPECT_EQ(protobuf.status, 200);
  EXPECT_EQ(protobuf.header("content-type"), kProtobufType);
  EXPECT_EQ(protobuf.body, "");
  const auto text = send(good_json, "application/json; charset=utf-8");
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(text.header("content-type"), kJsonType);
  EXPECT_EQ(text.body, "{}");
}

TEST_F(OtlpHttp, AnEmptyRequestIsASuccess) {
  EXPECT_EQ(send("", kProtobufType).status, 200);
  EXPECT_EQ(send("{}", kJsonType).status, 200);
}

TEST_F(OtlpHttp, ErrorsAreAStatusOfTheRequestsType) {
  const auto protobuf = send("\x0a\x05", kProtobufType);
  EXPECT_EQ(protobuf.status, 400);
  EXPECT_EQ(protobuf.header("content-type"), kProtobufType);
  EXPECT_TRUE(protobuf.body.starts_with(std::string("\x08\x03\x12", 3)));
  const auto text = send("{", kJsonType);
  EXPECT_EQ(text.status, 400);
  EXPECT_EQ(json::parse(text.body)["code"], 3);
}

TEST_F(OtlpHttp, OtherTypesAndEncodingsAre415) {
  EXPECT_EQ(send(good_json, "text/plain").status, 415);
  EXPECT_EQ(
      post("/v1/metrics", {{"Content-Type", kJsonType}, {"Content-Encoding", "zstd"}}, "x").status,
      415);
}

TEST_F(OtlpHttp, GzipIsTakenAndABombIs413) {
  world.options.body_limit = ByteSize{100'000};
  const HeaderList packed{{"Content-Type", kProtobufType}, {"Content-Encoding", "gzip"}};
  EXPECT_EQ(post("/v1/metrics", packed, gzip(good_protobuf)).status, 200);
  const std::string bomb = gzip(std::string(10'000'000, '\0'));
  ASSERT_LT(bomb.size(), 100'000U);
  const auto reply = post("/v1/metrics", packed, bomb);
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.header("content-type"), kProtobufType);
  EXPECT_EQ(post("/v1/metrics", packed, "not gzip").status, 400);
  EXPECT_EQ(send(std::string(100'001, 'x'), kJsonType).status, 413);
}

TEST_F(OtlpHttp, SixtyFourBitIntegersAreTextsOrNumbers) {
  for (const char* value : {R"("asInt":"7")", R"("asInt":7)"}) {
    EXPECT_EQ(send(gauge_of(value), kJsonType).status, 200);
    EXPECT_EQ(values(), Values{7}) << value;
  }
}

TEST_F(OtlpHttp, UnknownMembersAreIgnored) {
  EXPECT_EQ(send(gauge_of(R"("asInt":1,"tomorrow":{"a":[1]})"), kJsonType).body, "{}");
  EXPECT_EQ(send(good_protobuf + wire::varint_field(99, 1), kProtobufType).body, "");
}

TEST_F(OtlpHttp, WhatCannotBeKeptIsAPartialSuccess) {
  const auto text = send(
      json_of(points("gauge", R"("asInt":1)") + "," + points("gauge", R"("none":1)")), kJsonType);
  EXPECT_EQ(text.status, 200);
  EXPECT_EQ(json::parse(text.body)["partialSuccess"]["rejectedDataPoints"], "1");
  EXPECT_FALSE(json::parse(text.body)["partialSuccess"]["errorMessage"].get<std::string>().empty());
  EXPECT_EQ(values(), Values{1});
  const std::string old = wire::Number{.time = 1}.bytes();
  const auto protobuf = send(wire::one_metric(wire::gauge("m", old)), kProtobufType);
  EXPECT_EQ(protobuf.status, 200);
  EXPECT_TRUE(protobuf.body.starts_with("\x0a")) << "partial_success";
}

TEST_F(OtlpHttp, ExponentialHistogramsAreCountedAsRejected) {
  const auto reply = send(json_of(points("exponentialHistogram", R"("scale":1)")), kJsonType);
  EXPECT_EQ(json::parse(reply.body)["partialSuccess"]["rejectedDataPoints"], "1");
  EXPECT_EQ(metric("sensus_api_otlp_points_rejected_total"), 1);
}

TEST_F(OtlpHttp, AnOutageIs503WithRetryAfterAndNever500Or429) {
  for (const Errc code : {Errc::overloaded, Errc::unavailable, Errc::timeout, Errc::in_doubt,
                          Errc::internal, Errc::corrupt}) {
    world.flow.error = make_error(code, "not now");
    const auto reply = send(good_json, kJsonType);
    EXPECT_EQ(reply.status, 503) << to_string(code);
    EXPECT_NE(reply.header("retry-after"), "");
  }
  world.flow.error.reset();
  world.flow.thrown = "a bug";
  EXPECT_EQ(send(good_json, kJsonType).status, 503);
}

TEST_F(OtlpHttp, NamesAndUnitsAreThoseOfPrometheus) {
  const std::string sum =
      R"({"name":"http.sent","unit":"By","sum":{"isMonotonic":true,"aggregationTemporality":2,"dataPoints":[)"
      R"({"timeUnixNano":"1795168800000000000","asInt":1,"attributes":[{"key":"http.method","value":{"stringValue":"GET"}}]}]}})";
  const std::string ratio =
      R"({"name":"load","unit":"1","gauge":{"dataPoints":[{"timeUnixNano":"1795168800000000000","asInt":1}]}})";
  send(json_of(sum + "," + ratio), kJsonType);
  EXPECT_TRUE(has("http_sent_bytes_total{http_method=GET}"));
  EXPECT_TRUE(has("load_ratio{}"));
}

TEST_F(OtlpHttp, HistogramsAndSummariesBecomeClassicSeries) {
  send(json_of(points("histogram",
                      R"("count":"3","sum":4.5,"bucketCounts":["1","2"],"explicitBounds":[0.1])",
                      R"("aggregationTemporality":2,)")),
       kJsonType);
  EXPECT_EQ(stored(), (Texts{"m_sum{}", "m_count{}", "m_bucket{le=0.1}", "m_bucket{le=+Inf}"}));
  EXPECT_EQ(values(), (Values{4.5, 3, 1, 3}));
  send(json_of(points("summary",
                      R"("count":"3","sum":4.5,"quantileValues":[{"quantile":0.5,"value":2}])")),
       kJsonType);
  EXPECT_EQ(stored(), (Texts{"m_sum{}", "m_count{}", "m{quantile=0.5}"}));
}

TEST_F(OtlpHttp, IncrementsBecomeTotalsOfTheirSeries) {
  const auto delta = [](const char* time, const char* value) {
    return json_of(
        std::string(
            R"({"name":"d","sum":{"isMonotonic":true,"aggregationTemporality":1,"dataPoints":[{"timeUnixNano":")") +
        time + R"(","asInt":)" + value + "}]}}");
  };
  send(delta("1795168790000000000", "5"), kJsonType);
  send(delta("1795168800000000000", "2"), kJsonType);
  EXPECT_EQ(values(), Values{7});
  send(delta("1795168800000000000", "2"), kJsonType);
  EXPECT_EQ(values(), Values{7}) << "a repetition counts once";
}

TEST_F(OtlpHttp, NoRecordedValueIsAnEndAndNoSample) {
  EXPECT_EQ(send(gauge_of(R"("flags":1)"), kJsonType).body, "{}");
  EXPECT_TRUE(stored().empty());
  EXPECT_EQ(world.flow.samples.ends().size(), 1U);
  EXPECT_EQ(metric("sensus_api_otlp_stale_points_total"), 1);
}

TEST_F(OtlpHttp, NotANumberAndInfinitiesAreSamples) {
  send(gauge_of(R"("asDouble":"NaN")"), kJsonType);
  EXPECT_TRUE(std::isnan(values().at(0)));
  send(gauge_of(R"("asDouble":"Infinity")"), kJsonType);
  EXPECT_TRUE(std::isinf(values().at(0)));
}

TEST_F(OtlpHttp, ResourcesNameJobAndInstanceAndTheRestIsTargetInfo) {
  const std::string resource =
      R"("resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}},)"
      R"({"key":"service.namespace","value":{"stringValue":"shop"}},)"
      R"({"key":"service.instance.id","value":{"stringValue":"pod-1"}},)"
      R"({"key":"host.name","value":{"stringValue":"h1"}}]},)";
  send(json_of(points("gauge", R"("asInt":1)"), resource), kJsonType);
  EXPECT_EQ(stored(), (Texts{"m{instance=pod-1,job=shop/cart}",
                             "target_info{host_name=h1,instance=pod-1,job=shop/cart}"}));
}

TEST_F(OtlpHttp, ScopesAreLabels) {
  const std::string metrics = R"("metrics":[)" + points("gauge", R"("asInt":1)") + "]";
  send(R"({"resourceMetrics":[{"scopeMetrics":[{"scope":{"name":"lib","version":"2"},)" + metrics +
           "}]}]}",
       kJsonType);
  EXPECT_EQ(stored(), Texts{"m{otel_scope_name=lib,otel_scope_version=2}"});
}

TEST_F(OtlpHttp, TypeUnitAndDescriptionAreKept) {
  send(json_of(R"({"name":"m","unit":"s","description":"Of m.","gauge":{"dataPoints":[]}})"),
       kJsonType);
  ASSERT_EQ(world.flow.metadata.size(), 1U);
  EXPECT_EQ(world.flow.metadata[0].family, "m_seconds");
  EXPECT_EQ(world.flow.metadata[0].type, model::MetricType::gauge);
  EXPECT_EQ(world.flow.metadata[0].help, "Of m.");
}

}  // namespace
}  // namespace sensus::api::test
