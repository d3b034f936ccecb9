#include "sensus/codec/metrics_json.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sensus::codec {
namespace {

const Timestamp kNow = parse_rfc3339("2026-06-01T12:00:00Z").value();

Result<model::SampleBatch> parse(std::string_view body) { return parse_metrics_json(body, kNow, model::InputLimits{}); }

/// The only sample of a body that must be good.
model::SampleBatch::Row only(const Result<model::SampleBatch>& result) {
  EXPECT_TRUE(result) << result.error().field << ": " << result.error().message;
  EXPECT_EQ(result->size(), 1U);
  return result->rows().at(0);
}

Error error_of(std::string_view body) {
  const auto result = parse(body);
  EXPECT_FALSE(result) << body.substr(0, 200);
  return result ? Error{Errc::internal, "was accepted"} : result.error();
}

void expect_error(std::string_view body, std::string_view field, std::string_view part) {
  const Error error = error_of(body);
  EXPECT_EQ(error.code, Errc::invalid_input) << body.substr(0, 200);
  EXPECT_EQ(error.field, field) << body.substr(0, 200) << " -> " << error.message;
  EXPECT_NE(error.message.find(part), std::string::npos) << body.substr(0, 200) << " -> " << error.message;
}

TEST(MetricsJson, TheSeedsObject) {
  const auto result = parse(R"({"metric_name":"cpu_usage","metric_value":85.5,"labels":{"host":"server-1"}})");
  const auto row = only(result);
  EXPECT_EQ(result->key(row), model::encode_series_key("cpu_usage", {{"host", "server-1"}}));
  EXPECT_EQ(row.value, 85.5);
  EXPECT_EQ(row.time, kNow);
}

TEST(MetricsJson, ArraysAndTheMetricsObject) {
  const auto array = parse(R"([{"metric_name":"a","metric_value":1},{"metric_name":"b","metric_value":2}])");
  ASSERT_TRUE(array);
  ASSERT_EQ(array->size(), 2U);
  EXPECT_EQ(array->key(array->rows()[1]), model::encode_series_key("b", {}));
  const auto wrapped = parse(R"( {"source":"x","metrics" : [ {"metric_value":1e0,"metric_name":"a"} ] } )");
  EXPECT_EQ(only(wrapped).value, 1);
  for (const char* empty : {"[]", R"({"metrics":[]})"}) {
    const auto none = parse(empty);
    ASSERT_TRUE(none) << empty;
    EXPECT_TRUE(none->empty());
  }
}

TEST(MetricsJson, LabelsAreSortedAndEmptyOnesAreNone) {
  const auto a = parse(R"({"metric_name":"m","metric_value":1,"labels":{"b":"2","a":"1","c":""}})");
  EXPECT_EQ(a->key(only(a)), model::encode_series_key("m", {{"a", "1"}, {"b", "2"}}));
  const auto none = parse(R"({"metric_name":"m","metric_value":1,"labels":null,"timestamp":null})");
  EXPECT_EQ(none->key(only(none)), model::encode_series_key("m", {}));
  EXPECT_EQ(only(none).time, kNow);
}

TEST(MetricsJson, EscapesAreDecoded) {
  const auto r = parse(R"({"metric_n\u0061me":"m\/\u00fc","metric_value":1,"labels":{"q\"":"\ud83d\ude00\n\t\\","b":"\b\f\r"}})");
  EXPECT_EQ(r->key(only(r)), model::encode_series_key("m/ü", {{"q\"", "😀\n\t\\"}, {"b", "\b\f\r"}}));
}

TEST(MetricsJson, Timestamps) {
  const auto time = [](const std::string& t) { return only(parse(R"({"metric_name":"m","metric_value":1,"timestamp":)" + t + "}")).time; };
  const Timestamp expected = parse_rfc3339("2026-06-01T11:59:59Z").value();
  EXPECT_EQ(time("\"2026-06-01T11:59:59Z\""), expected);
  EXPECT_EQ(time("\"2026-06-01T13:59:59+02:00\""), expected);
  EXPECT_EQ(time("\"2026-06-01T11:59:59.123456789Z\""), expected + std::chrono::microseconds{123456});
  EXPECT_EQ(time("1780315199"), expected);
  EXPECT_EQ(time("1780315199000"), expected);
  EXPECT_EQ(time("1780315199.25"), expected + std::chrono::milliseconds{250});
  EXPECT_EQ(time("1780315199.123456"), expected + std::chrono::microseconds{123456});
  EXPECT_EQ(time("1780315199250"), expected + std::chrono::milliseconds{250});
  EXPECT_EQ(time("1.780315199e9"), expected);
}

TEST(MetricsJson, TimestampsOutsideTheWindow) {
  for (const char* t : {"0", "-1", "\"0001-01-01T00:00:00Z\"", "\"9999-12-31T23:59:59Z\"", "1e300", "-1e300", "99999999999", "1e15", "1e400",
                        "1777723199", "1780315801"}) {
    expect_error(R"([{"metric_name":"m","metric_value":1,"timestamp":)" + std::string(t) + "}]", "[0].timestamp", "outside the accepted window");
  }
  for (const char* t : {"1777723200", "1780315800"}) {  // 30 days back and 10 minutes ahead, exactly
    EXPECT_TRUE(parse(R"({"metric_name":"m","metric_value":1,"timestamp":)" + std::string(t) + "}")) << t;
  }
  expect_error(R"({"metric_name":"m","metric_value":1,"timestamp":"yesterday"})", "timestamp", "RFC 3339");
  expect_error(R"({"metric_name":"m","metric_value":1,"timestamp":true})", "timestamp", "RFC 3339 time or a Unix number");
}

TEST(MetricsJson, Values) {
  const auto value = [](const std::string& v) { return only(parse(R"({"metric_name":"m","metric_value":)" + v + "}")).value; };
  EXPECT_EQ(value("0"), 0);
  EXPECT_TRUE(std::signbit(value("-0.0")));
  EXPECT_EQ(value("-12.5E+2"), -1250);
  EXPECT_EQ(value("5e-324"), 5e-324);
  EXPECT_EQ(value("1e-400"), 0);
  EXPECT_EQ(value("1.7976931348623157e308"), 1.7976931348623157e308);
  EXPECT_EQ(value("18446744073709551616"), 18446744073709551616.0);
}

TEST(MetricsJson, NonFiniteValuesAreRefused) {
  const auto body = [](const std::string& v) { return R"({"metrics":[{"metric_name":"m","metric_value":)" + v + "}]}"; };
  expect_error(body("1e400"), "metrics[0].metric_value", "finite");
  expect_error(body("-1e400"), "metrics[0].metric_value", "finite");
  expect_error(body("NaN"), "metrics[0].metric_value", "NaN and Infinity are not JSON");
  expect_error(body("Infinity"), "metrics[0].metric_value", "malformed JSON");
  expect_error(body("-Infinity"), "metrics[0].metric_value", "malformed JSON");
  expect_error(body("null"), "metrics[0].metric_value", "finite number");
  expect_error(body("\"1\""), "metrics[0].metric_value", "finite number");
  expect_error(body("[1]"), "metrics[0].metric_value", "finite number");
}

TEST(MetricsJson, NumberGrammar) {
  for (const char* v : {"01", "1.", ".5", "+1", "1e", "1e+", "0x10", "-", "--1", "1_0", "1,"}) {
    expect_error(R"({"metric_name":"m","metric_value":)" + std::string(v) + "}", error_of(R"({"metric_name":"m","metric_value":)" + std::string(v) + "}").field, "malformed JSON at byte");
  }
}

TEST(MetricsJson, MissingAndEmptyMembersAreNamedWithTheirIndex) {
  expect_error("{}", "metric_name", "missing");
  expect_error(R"([{"metric_name":"m","metric_value":1},{"metric_value":1}])", "[1].metric_name", "missing");
  expect_error(R"({"metrics":[{"metric_name":"","metric_value":1}]})", "metrics[0].metric_name", "must not be empty");
  expect_error(R"({"metric_name":"m"})", "metric_value", "missing");
  expect_error(R"({"metric_name":7,"metric_value":1})", "metric_name", "must be a string");
  expect_error(R"([{"metric_name":"m","metric_value":1},7])", "[1]", "must be an object");
  expect_error(R"({"metrics":{}})", "metrics", "must be an array");
  expect_error(R"({"metric_name":"m","metric_value":1,"metrics":[]})", "metrics", "one or the other");
}

TEST(MetricsJson, LabelFaults) {
  const auto body = [](const std::string& labels) { return R"({"metric_name":"m","metric_value":1,"labels":)" + labels + "}"; };
  expect_error(body(R"({"a":1})"), "labels", "object of strings");
  expect_error(body(R"({"a":null})"), "labels", "object of strings");
  expect_error(body("[]"), "labels", "object of strings");
  expect_error(body(R"({"":"x"})"), "labels", "name is empty");
  expect_error(body(R"({"a":"1","b":"x","\u0061":"2"})"), "labels.a", "twice");
  expect_error(body(R"({"a":"\u0000"})"), "labels", "NUL");
  expect_error(body(R"({"a":"\ud800"})"), "labels", "lone surrogate");
  expect_error(body(R"({"a":"\udc00"})"), "labels", "lone surrogate");
  expect_error(body(R"({"a":"\ud800\u0041"})"), "labels", "lone surrogate");
  expect_error(body(R"({"a":"\ud800x"})"), "labels", "lone surrogate");
}

TEST(MetricsJson, LimitsAtTheEdgeAndOneMore) {
  const auto body = [](const std::string& name, const std::string& labels) {
    return R"({"metric_name":")" + name + R"(","metric_value":1,"labels":{)" + labels + "}}";
  };
  EXPECT_TRUE(parse(body(std::string(255, 'm'), "")));
  expect_error(body(std::string(256, 'm'), ""), "metric_name", "at most 255");
  EXPECT_TRUE(parse(body("m", "\"a\":\"" + std::string(4096, 'v') + "\"")));
  expect_error(body("m", "\"a\":\"" + std::string(65536, 'v') + "\""), "labels.a", "65536 bytes, at most 4096");
  expect_error(body("m", "\"" + std::string(257, 'n') + "\":\"v\""), "labels." + std::string(64, 'n') + "...", "at most 256");
  std::string many;
  for (int i = 0; i < 64; ++i) {
    many += (i > 0 ? "," : "") + std::string("\"l") + std::to_string(i) + "\":\"v\"";
  }
  EXPECT_TRUE(parse(body("m", many)));
  expect_error(body("m", many + ",\"z\":\"v\""), "labels", "65 entries, at most 64");
}

TEST(MetricsJson, DuplicateMembersAreRefused) {
  expect_error(R"({"metric_name":"m","metric_value":1,"metric_value":2})", "metric_value", "twice");
  expect_error(R"({"metric_name":"m","metric_name":"n","metric_value":2})", "metric_name", "twice");
  expect_error(R"({"metric_name":"m","metric_value":1,"labels":{},"labels":{}})", "labels", "twice");
  expect_error(R"({"metric_name":"m","metric_value":1,"timestamp":1780315199,"timestamp":1780315199})", "timestamp", "twice");
  expect_error(R"({"metrics":[],"metrics":[]})", "metrics", "twice");
}

TEST(MetricsJson, MalformedDocumentsNameTheByte) {
  for (const char* body : {"", " ", "{", "[", "nul", "null", "7", "\"x\"", "{]", "[}", "{,}", "[,]", R"({"metric_name")", R"({"metric_name":})",
                           R"({"metric_name":"m",})", R"([{"metric_name":"m","metric_value":1},])", R"({metric_name:"m"})", R"({'a':1})",
                           R"({"metric_name":"m" "metric_value":1})", R"({"metric_name":"m","metric_value":1}x)", R"([]])", R"({"a":tru})",
                           R"({"metric_name":"m)", R"({"metric_name":"\x"})", R"({"metric_name":"\u12"})", R"({"metric_name":"\u12g4"})", "{\"metric_name\":\"a\nb\"}",
                           R"({"a":"\q"})", R"({"a":"\u00"})", "// c\n{}"}) {
    const Error error = error_of(body);
    EXPECT_EQ(error.code, Errc::invalid_input) << body;
    EXPECT_NE(error.message.find("malformed JSON at byte"), std::string::npos) << body << " -> " << error.message;
  }
  EXPECT_NE(error_of(R"({"metric_name" "m"})").message.find("at byte 15: expected ':'"), std::string::npos);
}

TEST(MetricsJson, BytesThatAreNotPlainUtf8) {
  expect_error("{\"metric_name\":\"\xFF\",\"metric_value\":1}", "", "not UTF-8 at byte 16");
  expect_error("{\"x\":\"\xED\xA0\x80\"}", "", "not UTF-8");
  expect_error("\xEF\xBB\xBF{}", "", "byte order mark");
  expect_error(std::string("{\"metric_name\":\"a\0b\",\"metric_value\":1}", 37), "metric_name", "control character");
  expect_error(std::string("\0{}", 3), "", "malformed JSON at byte 0");
}

TEST(MetricsJson, DepthAtTheLimitAndOneMore) {
  const auto nested = [](std::size_t depth) {
    return R"({"metric_name":"m","metric_value":1,"extra":)" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(parse(nested(32)));
  expect_error(nested(33), "", "deeper than 32");
  expect_error(std::string(100'000, '['), "[0]", "deeper than 32");
  expect_error(R"({"x":)" + std::string(100'000, '['), "", "deeper than 32");
  expect_error(R"({"x":)" + std::string(100'000, '{'), "", "malformed");
}

TEST(MetricsJson, UnknownMembersAreIgnored) {
  EXPECT_EQ(only(parse(R"({"unit":{"a":[1,"\u00e9",true,false,null,{"b":-1.5e3}]},"metric_name":"m","metric_value":3})")).value, 3);
}

TEST(MetricsJson, ALargeArrayKeepsItsOrder) {
  std::string body = "[";
  for (int i = 0; i < 500; ++i) {
    body += (i > 0 ? "," : "") + std::string(R"({"metric_name":"m","metric_value":)") + std::to_string(i) + R"(,"labels":{"i":")" + std::to_string(i) + "\"}}";
  }
  const auto result = parse(body + "]");
  ASSERT_TRUE(result);
  ASSERT_EQ(result->size(), 500U);
  for (std::size_t i = 0; i < 500; ++i) {
    const auto& row = result->rows()[i];
    EXPECT_EQ(row.value, static_cast<double>(i));
    EXPECT_EQ(result->key(row), model::encode_series_key("m", {{"i", std::to_string(i)}}));
  }
}

}  // namespace
}  // namespace sensus::codec
