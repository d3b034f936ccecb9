#include "otlp_messages.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sensus::codec::test {
namespace {

OtlpMetrics read(const std::string& body) {
  auto parsed = parse(body, OtlpFormat::json);
  EXPECT_TRUE(parsed) << body << (parsed ? "" : parsed.error().message);
  return parsed ? std::move(*parsed) : OtlpMetrics{};
}
std::string refused(const std::string& body) {
  const auto parsed = parse(body, OtlpFormat::json);
  EXPECT_FALSE(parsed) << body;
  EXPECT_TRUE(parsed || parsed.error().code == Errc::invalid_input);
  return parsed ? "" : parsed.error().message;
}
std::string one_metric_json(const std::string& metric) {
  return R"({"resourceMetrics":[{"scopeMetrics":[{"scope":{},"metrics":[)" + metric +
         "]}]}]}";
}
std::string gauge_json(const std::string& point) {
  return one_metric_json(
      R"({"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"1795168800000000000",)" + point +
      "}]}}");
}

TEST(OtlpJson, AnEmptyRequestIsASuccess) {
  for (const char* body :
       {"{}", R"({"resourceMetrics":[]})", R"({"resourceMetrics":null,"other":[1,{"a":2}]})",
        R"({"resourceMetrics":[{"resource":null,"scopeMetrics":[{"metrics":[{}]}]}]})"}) {
    EXPECT_TRUE(read(body).samples.empty()) << body;
  }
}

TEST(OtlpJson, TheSameAsProtobuf) {
  const std::string json = R"({"resourceMetrics":[{
      "scopeMetrics":[{"metrics":[
        {"sum":{"dataPoints":[{"asInt":"12","timeUnixNano":"1795168800123456789","attributes":[{"value":{"stringValue":"GET"},"key":"http.method"}]}],
                "isMonotonic":true,"aggregationTemporality":2},"unit":"By","name":"http.sent"},
        {"name":"load","unit":"1","gauge":{"dataPoints":[{"asDouble":0.5,"timeUnixNano":1795168800123456789}]}},
        {"name":"latency","unit":"ms","histogram":{"aggregationTemporality":2,"dataPoints":[
          {"timeUnixNano":"1795168800000000000","count":"6","sum":4.5,"bucketCounts":["1",2,"3"],"explicitBounds":[0.1,10]}]}},
        {"name":"rpc","summary":{"dataPoints":[{"timeUnixNano":"1795168800000000000","count":2,"sum":"3",
          "quantileValues":[{"quantile":0.5,"value":1},{"quantile":0.9,"value":2}]}]}}
      ]}],
      "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}}]})";
  const OtlpMetrics parsed = read(json);
  const Shown expected{{"http_sent_bytes_total{http_method=\"GET\",job=\"shop\"}", {12}},
                       {"load_ratio{job=\"shop\"}", {0.5}},
                       {"latency_milliseconds_bucket{job=\"shop\",le=\"0.1\"}", {1}},
                       {"latency_milliseconds_bucket{job=\"shop\",le=\"10\"}", {3}},
                       {"latency_milliseconds_bucket{job=\"shop\",le=\"+Inf\"}", {6}},
                       {"latency_milliseconds_sum{job=\"shop\"}", {4.5}},
                       {"latency_milliseconds_count{job=\"shop\"}", {6}},
                       {"rpc{job=\"shop\",quantile=\"0.5\"}", {1}},
                       {"rpc{job=\"shop\",quantile=\"0.9\"}", {2}},
                       {"rpc_sum{job=\"shop\"}", {3}},
                       {"rpc_count{job=\"shop\"}", {2}}};
  EXPECT_EQ(show(parsed.samples), expected);
  EXPECT_EQ(parsed.rejected_points, 0U);
  EXPECT_EQ(to_unix_us(parsed.samples.rows()[0].time), 1'795'168'800'123'456)
      << "not rounded through a double";
  EXPECT_EQ(to_unix_us(parsed.samples.rows()[1].time), 1'795'168'800'123'456);
}

TEST(OtlpJson, IntegersAsStringsOrNumbers) {
  for (const char* value :
       {R"("asInt":"-7")", R"("asInt":-7)", R"("asInt":-7.0)", R"("asInt":"-0.7e1")",
        R"("asDouble":-7)", R"("asDouble":"-7")", R"("asInt":1,"asInt":-7)",
        R"("flags":"0","asInt":-7)", R"("asDouble":null,"asInt":-7)"}) {
    EXPECT_EQ(show(read(gauge_json(value)).samples), (Shown{{"g{}", {-7}}})) << value;
  }
  for (const char* value :
       {R"("asInt":"x")", R"("asInt":"")", R"("asInt":1.5)", R"("asInt":"9223372036854775808")",
        R"("asInt":true)", R"("asDouble":"1x")", R"("asDouble":[1])", R"("flags":-1)",
        R"("timeUnixNano":"-1")", R"("asInt":1e30)"}) {
    EXPECT_NE(refused(gauge_json(value)), "") << value;
  }
}

TEST(OtlpJson, NotANumberAndInfinitiesAreSamples) {
  const auto value_of = [](const char* value) {
    return read(gauge_json(value)).samples.rows().at(0).value;
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(std::isnan(value_of(R"("asDouble":"NaN")")));
  EXPECT_EQ(value_of(R"("asDouble":"-Infinity")"), -kInfinity);
  EXPECT_EQ(value_of(R"("asDouble":1e400)"), kInfinity);
  EXPECT_EQ(read(gauge_json(R"("x":1)")).rejected_points, 1U) << "no value at all";
}

TEST(OtlpJson, ScopesAreLabelsWhereverTheyStand) {
  const std::string body = R"({"resourceMetrics":[{"scopeMetrics":[
    {"metrics":[{"name":"a","description":"of a","unit":"s","gauge":{"dataPoints":[{"timeUnixNano":"1795168800000000000","asInt":1}]}}],
     "schemaUrl":"https://x/1","scope":{"version":"1.2","name":"li\u0062","attributes":[{"key":"team.name","value":{"stringValue":"t"}}]}},
    {"metrics":[{"name":"b","gauge":{"dataPoints":[{"timeUnixNano":"1795168800000000000","asInt":2}]}}]}]}]})";
  const OtlpMetrics parsed = read(body);
  const Shown expected{
      {"a_seconds{otel_scope_name=\"lib\",otel_scope_schema_url=\"https://x/1\",otel_scope_team_name=\"t\",otel_scope_version=\"1.2\"}",
       {1}},
      {"b{}", {2}}};
  EXPECT_EQ(show(parsed.samples), expected);
  ASSERT_EQ(parsed.metadata.size(), 2U);
  EXPECT_EQ(parsed.metadata[0].family, "a_seconds");
  EXPECT_EQ(parsed.metadata[0].type, model::MetricType::gauge);
  EXPECT_EQ(parsed.metadata[0].unit, "seconds");
  EXPECT_EQ(parsed.metadata[0].help, "of a");
}

TEST(OtlpJson, FlagsAndTemporalities) {
  const OtlpMetrics ended = read(gauge_json(R"("flags":1)"));
  EXPECT_EQ(ended.samples.size(), 0U);
  EXPECT_EQ(ended.samples.ends().size(), 1U);
  const auto sum = [](const std::string& temporality) {
    return one_metric_json(R"({"name":"s","sum":{"isMonotonic":true,"aggregationTemporality":)" +
                           temporality +
                           R"(,"dataPoints":[{"timeUnixNano":"1795168800000000000","asInt":1}]}})");
  };
  EXPECT_EQ(read(sum("1")).deltas.size(), 1U);
  EXPECT_EQ(read(sum("\"AGGREGATION_TEMPORALITY_DELTA\"")).deltas.size(), 1U);
  EXPECT_EQ(read(sum("\"AGGREGATION_TEMPORALITY_CUMULATIVE\"")).samples.size(), 1U);
  EXPECT_EQ(read(sum("7")).rejected_points, 1U);
}

TEST(OtlpJson, ExponentialHistogramsAreCountedAsRejected) {
  const std::string metric =
      R"({"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"scale":1},{}]}})";
  EXPECT_EQ(read(one_metric_json(metric)).rejected_points, 2U);
}

TEST(OtlpJson, AttributeValuesOfEveryKind) {
  const std::string attributes = R"("asInt":1,"attributes":[
    {"key":"text","value":{"stringValue":"a\u00e9\n"}},{"key":"bool","value":{"boolValue":true}},{"key":"int","value":{"intValue":"5"}},
    {"key":"real","value":{"doubleValue":0.25}},{"key":"bytes","value":{"bytesValue":"AQI="}},
    {"key":"list","value":{"arrayValue":{"values":[{"stringValue":"x\""},{"intValue":2},{}]}}},
    {"key":"map","value":{"kvlistValue":{"values":[{"value":{"boolValue":false},"key":"k"}]}}}, {"key":"none"}])";
  const auto samples = read(gauge_json(attributes)).samples;
  ASSERT_EQ(samples.size(), 1U);
  const model::Labels expected{
      {"text", "a\xC3\xA9\n"},  {"bool", "true"},  {"int", "5"},
      {"real", "0.25"},         {"bytes", "AQI="}, {"list", R"(["x\"",2,null])"},
      {"map", R"({"k":false})"}};
  EXPECT_EQ(model::decode_series_key(samples.key(samples.rows()[0]))->labels, expected);
}

TEST(OtlpJson, MalformedBodiesAreRefusedWithTheirPlace) {
  EXPECT_NE(refused("").find("byte 0"), std::string::npos);
  EXPECT_NE(refused("[]").find("expected an object"), std::string::npos);
  EXPECT_NE(refused("{} {}").find("after the end"), std::string::npos);
  EXPECT_NE(refused("\xFF").find("UTF-8"), std::string::npos);
  EXPECT_NE(refused(R"({"resourceMetrics":{}})").find("byte 19"), std::string::npos);
  EXPECT_NE(refused(R"({"resourceMetrics":[{"scopeMetrics":[7]}]})").find("byte 37"),
            std::string::npos)
      << "counted from the body's begin, not from the part's";
  EXPECT_NE(refused(gauge_json(R"("attributes":[{"key":"a","value":{"stringValue":"\u0000"}}])")),
            "");
  EXPECT_NE(refused(one_metric_json(R"({"name":"m","sum":{"isMonotonic":"yes"}})")), "");
}

TEST(OtlpJson, DepthIsLimited) {
  std::string value = R"({"intValue":1})";
  for (int i = 0; i < 10; ++i) {
    value = R"({"arrayValue":{"values":[)" + value + "]}}";
  }
  EXPECT_NE(
      refused(gauge_json(R"("attributes":[{"key":"a","value":)" + value + "}]")).find("nested"),
      std::string::npos);
}

}  // namespace
}  // namespace sensus::codec::test
