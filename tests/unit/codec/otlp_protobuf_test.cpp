#include "otlp_messages.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sensus::codec::test {
namespace {

OtlpMetrics read(const std::string& body) {
  auto parsed = parse(body, OtlpFormat::protobuf);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return parsed ? std::move(*parsed) : OtlpMetrics{};
}
Errc refused(const std::string& body) {
  const auto parsed = parse(body, OtlpFormat::protobuf);
  EXPECT_FALSE(parsed);
  return parsed ? Errc::internal : parsed.error().code;
}

TEST(OtlpProtobuf, GoldenBytesOfAGauge) {
  // One gauge "up" of 1.5 with the attribute a="b", byte for byte.
  const std::string point(
      "\x3A\x08\x0A\x01"
      "a\x12\x03\x0A\x01"
      "b\x19\x00\x40\xCF\x1A\x1B\xAE\xE9\x18\x21\x00\x00\x00\x00\x00\x00\xF8\x3F",
      28);
  const std::string gauge_bytes = std::string("\x0A\x02up\x2A\x1E\x0A\x1C", 8) + point;
  const std::string body = std::string("\x0A\x28\x12\x26\x12\x24", 6) + gauge_bytes;
  const std::uint64_t time = 0x18E9AE1B1ACF4000;
  const auto parsed =
      parse_otlp_metrics(body, OtlpFormat::protobuf,
                         from_unix_us(static_cast<std::int64_t>(time / 1000)), {}, 1 << 20);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(show(parsed->samples), (Shown{{"up{a=\"b\"}", {1.5}}}));
  EXPECT_EQ(parsed->samples.rows()[0].time, from_unix_us(static_cast<std::int64_t>(time / 1000)));
}

TEST(OtlpProtobuf, AnEmptyRequestIsASuccess) {
  for (const std::string& body : {std::string(), bytes_field(1, ""), request(""), one_metric(""),
                                  one_metric(metric("m", "", 5, ""))}) {
    const OtlpMetrics parsed = read(body);
    EXPECT_TRUE(parsed.samples.empty() && parsed.deltas.empty());
    EXPECT_EQ(parsed.rejected_points, 0U);
  }
}

TEST(OtlpProtobuf, ResourceNamesJobAndInstance) {
  const std::string resource = bytes_field(1, pair("service.name", text_value("checkout"))) +
                               bytes_field(1, pair("service.instance.id", text_value("pod-1")));
  const std::string metrics = bytes_field(2, gauge("up", Number{}.bytes()));
  EXPECT_EQ(show(read(request(metrics, resource)).samples),
            (Shown{{"up{instance=\"pod-1\",job=\"checkout\"}", {1.5}}}));
  const std::string with_namespace =
      resource + bytes_field(1, pair("service.namespace", text_value("shop")));
  // The resource may come after its metrics.
  const std::string turned =
      bytes_field(1, bytes_field(2, metrics) + bytes_field(1, with_namespace));
  EXPECT_EQ(show(read(turned).samples),
            (Shown{{"up{instance=\"pod-1\",job=\"shop/checkout\"}", {1.5}}}));
  // What names one resource says nothing about the next.
  EXPECT_EQ(show(read(turned + request(metrics)).samples).count("up{}"), 1U);
}

TEST(OtlpProtobuf, WhatElseIsKnownOfAResourceIsTargetInfo) {
  const std::string more = bytes_field(1, pair("host.name", text_value("h1"))) +
                           bytes_field(1, pair("job", text_value("not this one"))) +
                           bytes_field(1, pair("too.long", text_value(std::string(5000, 'x')))) +
                           bytes_field(1, pair("process.pid", varint_field(3, 7)));
  const std::string named = bytes_field(1, pair("service.name", text_value("checkout")));
  const std::string points =
      bytes_field(2, gauge("a", Number{.time = kNowNs - 1'000'000'000}.bytes())) +
      bytes_field(2, gauge("b", Number{}.bytes()));
  const OtlpMetrics parsed = read(request(points, more + named) + request(points, named));
  const std::string target = "target_info{host_name=\"h1\",job=\"checkout\",process_pid=\"7\"}";
  const Shown shown = show(parsed.samples);
  EXPECT_EQ(shown.count(target), 1U);
  EXPECT_EQ(shown.size(), 3U) << "none of a resource of which nothing else is known";
  const auto& rows = parsed.samples.rows();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& one) {
    return parsed.samples.key(one).starts_with("target_info");
  });
  ASSERT_NE(row, rows.end());
  EXPECT_EQ(row->time, now()) << "the newest point's";
  EXPECT_EQ(show(read(request(points, more)).samples).size(), 2U) << "nothing to join it by";
  const std::string old = bytes_field(2, gauge("a", Number{.time = 1}.bytes()));
  EXPECT_TRUE(read(request(old, more + named)).samples.empty()) << "no point was kept";
}

TEST(OtlpProtobuf, ScopesAreLabels) {
  const std::string scope = bytes_field(1, "lib") + bytes_field(2, "1.2") +
                            bytes_field(3, pair("team.name", text_value("t")));
  const std::string body =
      bytes_field(1, bytes_field(2, bytes_field(2, gauge("a", Number{}.bytes())) +
                                        bytes_field(3, "https://x/1") + bytes_field(1, scope)) +
                         bytes_field(2, bytes_field(2, gauge("b", Number{}.bytes()))));
  const Shown expected{
      {"a{otel_scope_name=\"lib\",otel_scope_schema_url=\"https://x/1\",otel_scope_team_name=\"t\",otel_"
       "scope_version=\"1.2\"}",
       {1.5}},
      {"b{}", {1.5}}};
  EXPECT_EQ(show(read(body).samples), expected);
}

TEST(OtlpProtobuf, TypeUnitAndDescriptionAreMetadata) {
  const std::string point = Number{}.bytes();
  const std::string described = bytes_field(2, sum("sent", point, 1, true, "By") + bytes_field(2, "of sent"));
  const std::string bad = bytes_field(2, gauge("???", point));
  const OtlpMetrics parsed = read(request(described + bytes_field(2, sum("level", point, 2, false, "1")) + bad));
  ASSERT_EQ(parsed.metadata.size(), 2U);
  EXPECT_EQ(parsed.metadata[0].family, "sent_bytes_total");
  EXPECT_EQ(parsed.metadata[0].type, model::MetricType::counter);
  EXPECT_EQ(parsed.metadata[0].unit, "bytes");
  EXPECT_EQ(parsed.metadata[0].help, "of sent");
  EXPECT_EQ(parsed.metadata[1].type, model::MetricType::gauge) << "a sum that may fall";
  EXPECT_EQ(parsed.metadata[1].unit, "");
}

TEST(OtlpProtobuf, AnIntegerIsSigned) {
  const std::string point = Number{.value = fixed_field(6, static_cast<std::uint64_t>(-7))}.bytes();
  EXPECT_EQ(show(read(one_metric(gauge("g", point))).samples), (Shown{{"g{}", {-7}}}));
}

TEST(OtlpProtobuf, SumsByTemporality) {
  const std::string point = Number{}.bytes();
  EXPECT_EQ(show(read(one_metric(sum("requests", point, 2, true))).samples),
            (Shown{{"requests_total{}", {1.5}}}));
  EXPECT_EQ(show(read(one_metric(sum("requests", point, 2, false))).samples),
            (Shown{{"requests{}", {1.5}}}));
  const OtlpMetrics delta = read(one_metric(sum("requests", point, 1, true)));
  EXPECT_TRUE(delta.samples.empty());
  EXPECT_EQ(show(delta.deltas), (Shown{{"requests_total{}", {1.5}}}));
  const OtlpMetrics unknown = read(one_metric(sum("requests", point, 0, true)));
  EXPECT_TRUE(unknown.samples.empty() && unknown.deltas.empty());
  EXPECT_EQ(unknown.rejected_points, 1U);
  EXPECT_NE(unknown.rejection.find("requests_total: aggregation_temporality"), std::string::npos);
}

TEST(OtlpProtobuf, ANegativeIncrementOfAMonotonicSumIsRejected) {
  const std::string point = Number{.value = fixed_field(4, -1.0)}.bytes();
  EXPECT_EQ(read(one_metric(sum("s", point, 1, true))).rejected_points, 1U);
  EXPECT_EQ(read(one_metric(sum("s", point, 1, false))).deltas.size(), 1U);
}

std::string histogram(std::uint64_t temporality, const std::string& counts,
                      const std::string& bounds) {
  const std::string point = attribute("path", text_value("/"), 9) + fixed_field(3, kNowNs) +
                            fixed_field(4, std::uint64_t{6}) + fixed_field(5, 4.5) + counts +
                            bounds;
  return one_metric(
      metric("latency", "s", 9, bytes_field(1, point) + varint_field(2, temporality)));
}

TEST(OtlpProtobuf, HistogramsAreCumulativeBuckets) {
  const std::string counts =
      bytes_field(6, word(std::uint64_t{1}) + word(std::uint64_t{2}) + word(std::uint64_t{3}));
  const std::string bounds = bytes_field(7, word(0.1) + word(10.0));
  const Shown expected{{"latency_seconds_bucket{le=\"0.1\",path=\"/\"}", {1}},
                       {"latency_seconds_bucket{le=\"10\",path=\"/\"}", {3}},
                       {"latency_seconds_bucket{le=\"+Inf\",path=\"/\"}", {6}},
                       {"latency_seconds_sum{path=\"/\"}", {4.5}},
                       {"latency_seconds_count{path=\"/\"}", {6}}};
  EXPECT_EQ(show(read(histogram(2, counts, bounds)).samples), expected);
  EXPECT_EQ(show(read(histogram(1, counts, bounds)).deltas), expected);
  // Numbers that are not packed are the same.
  const std::string unpacked = fixed_field(6, std::uint64_t{1}) + fixed_field(6, std::uint64_t{2}) +
                               fixed_field(6, std::uint64_t{3});
  EXPECT_EQ(show(read(histogram(2, unpacked, fixed_field(7, 0.1) + fixed_field(7, 10.0))).samples),
            expected);
}

TEST(OtlpProtobuf, HistogramsThatContradictThemselvesAreRejected) {
  const std::string two = bytes_field(6, word(std::uint64_t{1}) + word(std::uint64_t{5}));
  EXPECT_EQ(read(histogram(2, two, bytes_field(7, word(1.0)))).rejected_points, 0U);
  EXPECT_EQ(read(histogram(2, two, "")).rejected_points, 1U);
  const std::string three = two + bytes_field(6, word(std::uint64_t{0}));
  EXPECT_EQ(read(histogram(2, three, bytes_field(7, word(2.0) + word(1.0)))).rejected_points, 1U);
  EXPECT_EQ(read(histogram(2, "", "")).samples.size(), 3U)
      << "without buckets: +Inf, sum and count";
  std::string counts;
  std::string bounds;
  for (int i = 0; i <= 1001; ++i) {
    counts += word(std::uint64_t{1});
    bounds += word(static_cast<double>(i));
  }
  EXPECT_EQ(read(histogram(2, bytes_field(6, counts), bytes_field(7, bounds))).rejected_points, 1U);
}

TEST(OtlpProtobuf, SummariesAreQuantiles) {
  const auto quantile = [](double q, double value) {
    return bytes_field(6, fixed_field(1, q) + fixed_field(2, value));
  };
  const std::string point = fixed_field(3, kNowNs) + fixed_field(4, std::uint64_t{9}) +
                            fixed_field(5, 2.5) + quantile(0.5, 1.0) +
                            quantile(0.99, std::numeric_limits<double>::quiet_NaN());
  Shown shown = show(read(one_metric(metric("rpc", "", 11, bytes_field(1, point)))).samples);
  EXPECT_TRUE(std::isnan(shown["rpc{quantile=\"0.99\"}"].at(0))) << "of nothing";
  shown.erase("rpc{quantile=\"0.99\"}");
  const Shown expected{{"rpc{quantile=\"0.5\"}", {1}}, {"rpc_sum{}", {2.5}}, {"rpc_count{}", {9}}};
  EXPECT_EQ(shown, expected);
}

TEST(OtlpProtobuf, ExponentialHistogramsAreCountedAsRejected) {
  const std::string data =
      bytes_field(1, fixed_field(3, kNowNs)) + bytes_field(1, "") + varint_field(2, 2);
  const OtlpMetrics parsed = read(request(bytes_field(2, metric("e", "", 10, data)) +
                                          bytes_field(2, gauge("g", Number{}.bytes()))));
  EXPECT_EQ(parsed.rejected_points, 2U);
  EXPECT_NE(parsed.rejection.find("exponential"), std::string::npos);
  EXPECT_EQ(parsed.samples.size(), 1U) << "the rest of the body is kept";
}

std::vector<std::string> ends_of(const model::SampleBatch& batch) {
  std::vector<std::string> out;
  for (const auto& end : batch.ends()) {
    EXPECT_EQ(to_unix_us(end.time), static_cast<std::int64_t>(kNowNs / 1000));
    const auto series = model::decode_series_key(batch.key(end)).value();
    std::string text = series.metric_name;
    for (const model::Label& label : series.labels) {
      text += " " + label.name + "=" + label.value;
    }
    out.push_back(text);
  }
  return out;
}

TEST(OtlpProtobuf, APointWithoutARecordedValueIsTheEndOfItsSeries) {
  const OtlpMetrics parsed = read(one_metric(gauge("g", Number{.value = "", .flags = 1}.bytes())));
  EXPECT_EQ(parsed.samples.size(), 0U);
  EXPECT_EQ(ends_of(parsed.samples), std::vector<std::string>{"g"});
  EXPECT_EQ(parsed.rejected_points, 0U);
  EXPECT_EQ(parsed.stale_markers, 1U);
  const std::string stale = Number{.value = fixed_field(4, std::uint64_t{0x7ff0000000000002})}.bytes();
  const OtlpMetrics ended = read(one_metric(gauge("g", stale)));
  EXPECT_EQ(ended.samples.size(), 0U);
  EXPECT_EQ(ends_of(ended.samples), std::vector<std::string>{"g"});
  EXPECT_EQ(ended.stale_markers, 1U) << "Prometheus' way to say the same";
  EXPECT_EQ(read(one_metric(gauge("g", Number{.flags = 2}.bytes()))).samples.size(), 1U)
      << "other flags mean nothing";
}

TEST(OtlpProtobuf, AHistogramAndASummaryEndWithAllThatTheyName) {
  const std::string bounds = bytes_field(7, word(1.0));
  const std::string histogram = fixed_field(3, kNowNs) + bounds + varint_field(10, 1);
  const OtlpMetrics one = read(one_metric(metric("rpc", "", 9, bytes_field(1, histogram) + varint_field(2, 1))));
  EXPECT_EQ(one.rejected_points, 0U);
  EXPECT_EQ(one.deltas.size() + one.samples.size(), 0U);
  EXPECT_EQ(ends_of(one.samples), (std::vector<std::string>{"rpc_sum", "rpc_count", "rpc_bucket le=1", "rpc_bucket le=+Inf"}));
  const std::string quantile = bytes_field(6, fixed_field(1, 0.5) + fixed_field(2, 0.0));
  const std::string summary = fixed_field(3, kNowNs) + quantile + varint_field(8, 1);
  const OtlpMetrics two = read(one_metric(metric("s", "", 11, bytes_field(1, summary))));
  EXPECT_EQ(ends_of(two.samples), (std::vector<std::string>{"s_sum", "s_count", "s quantile=0.5"}));
}

TEST(OtlpProtobuf, WhatCannotBeKeptIsRejectedPointByPoint) {
  const std::string good = Number{}.bytes();
  const std::string long_value =
      Number{.attributes = attribute("a", text_value(std::string(5000, 'x')))}.bytes();
  const std::string not_text = Number{.attributes = attribute("a", text_value("\xFF"))}.bytes();
  const std::string old = Number{.time = 1}.bytes();
  const std::string none = Number{.value = ""}.bytes();
  std::string many;
  for (int i = 0; i < 200; ++i) {
    many += attribute("k" + std::to_string(i), text_value("v"));
  }
  for (const std::string& bad :
       {long_value, not_text, old, none, Number{.attributes = many}.bytes()}) {
    const OtlpMetrics parsed =
        read(one_metric(metric("g", "", 5, bytes_field(1, good) + bytes_field(1, bad))));
    EXPECT_EQ(parsed.samples.size(), 1U);
    EXPECT_EQ(parsed.rejected_points, 1U);
    EXPECT_TRUE(parsed.rejection.starts_with("g: ")) << parsed.rejection;
  }
  EXPECT_EQ(read(one_metric(gauge("???", good))).rejected_points, 1U);
  EXPECT_EQ(read(one_metric(gauge(std::string(300, 'n'), good))).rejected_points, 1U);
}

TEST(OtlpProtobuf, NotANumberAndInfinitiesAreSamplesButNoIncrements) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::string infinite = Number{.value = fixed_field(4, kInfinity)}.bytes();
  const std::string none = Number{.value = fixed_field(4, std::numeric_limits<double>::quiet_NaN())}.bytes();
  EXPECT_EQ(show(read(one_metric(gauge("g", infinite))).samples), (Shown{{"g{}", {kInfinity}}}));
  EXPECT_EQ(read(one_metric(gauge("g", none))).samples.size(), 1U);
  for (const std::string& point : {infinite, none}) {
    EXPECT_EQ(read(one_metric(sum("s", point, 2, true))).samples.size(), 1U);
    EXPECT_EQ(read(one_metric(sum("s", point, 1, false))).rejected_points, 1U);
  }
  const std::string histogram =
      fixed_field(3, kNowNs) + fixed_field(4, std::uint64_t{6}) + fixed_field(5, kInfinity);
  const auto parsed = [&histogram](std::uint64_t temporality) {
    return read(one_metric(
        metric("h", "", 9, bytes_field(1, histogram) + varint_field(2, temporality))));
  };
  EXPECT_EQ(parsed(1).rejected_points, 1U);
  EXPECT_EQ(parsed(2).samples.size(), 3U);
}

TEST(OtlpProtobuf, AttributeValuesOfEveryKind) {
  const std::string list =
      bytes_field(5, bytes_field(1, text_value("a\"b")) + bytes_field(1, varint_field(3, 2)) +
                         bytes_field(1, ""));
  const std::string map = bytes_field(6, bytes_field(1, pair("k", varint_field(2, 1))));
  const std::string attributes =
      attribute("text", text_value("x")) + attribute("bool", varint_field(2, 0)) +
      attribute("int", varint_field(3, static_cast<std::uint64_t>(-5))) +
      attribute("real", fixed_field(4, 0.25)) + attribute("list", list) + attribute("map", map) +
      attribute("bytes", bytes_field(7, "\x01\x02\x03\x04")) + attribute("empty", "");
  const auto samples =
      read(one_metric(gauge("g", Number{.attributes = attributes}.bytes()))).samples;
  ASSERT_EQ(samples.size(), 1U);
  const auto labels = model::decode_series_key(samples.key(samples.rows()[0]))->labels;
  const model::Labels expected{{"text", "x"},
                               {"bool", "false"},
                               {"int", "-5"},
                               {"real", "0.25"},
                               {"list", R"(["a\"b",2,null])"},
                               {"map", R"({"k":true})"},
                               {"bytes", "AQIDBA=="}};
  EXPECT_EQ(labels, expected);
}

TEST(OtlpProtobuf, DepthOfAValueIsLimited) {
  std::string value = varint_field(3, 1);
  for (int i = 0; i < 16; ++i) {
    value = bytes_field(5, bytes_field(1, value));
  }
  const auto body = [](const std::string& any) {
    return one_metric(gauge("g", Number{.attributes = attribute("a", any)}.bytes()));
  };
  EXPECT_EQ(read(body(value)).samples.size(), 1U);
  EXPECT_EQ(refused(body(bytes_field(5, bytes_field(1, value)))), Errc::invalid_input);
}

TEST(OtlpProtobuf, MalformedBodiesAreRefused) {
  const std::string whole = request(bytes_field(2, gauge("g", Number{}.bytes())));
  EXPECT_EQ(refused(whole.substr(0, whole.size() - 1)), Errc::invalid_input);
  EXPECT_EQ(refused("{}"), Errc::invalid_input);
  EXPECT_EQ(refused(bytes_field(1, "\x07")), Errc::invalid_input);
  EXPECT_EQ(refused(one_metric(metric("h", "", 9, bytes_field(1, bytes_field(6, "1234567"))))),
            Errc::invalid_input);
}

TEST(OtlpProtobuf, UnknownFieldsAndTypesAreSkipped) {
  const std::string extra = varint_field(99, 5) + fixed_field(98, 1.0) + bytes_field(97, "x") +
                            varint(96U << 3U | 5U) + "abcd";
  const std::string body =
      extra +
      bytes_field(
          1, extra + bytes_field(
                         2, extra + bytes_field(2, extra + gauge("g", extra + Number{}.bytes())))) +
      varint_field(1, 3);
  EXPECT_EQ(read(body).samples.size(), 1U);
}

TEST(OtlpProtobuf, ABodyThatUnfoldsTooFarIsTooLarge) {
  const std::string wide = attribute("a", text_value(std::string(4000, 'x')), 9);
  std::string counts;
  std::string bounds;
  for (int i = 0; i < 1000; ++i) {
    counts += word(std::uint64_t{1});
    bounds += word(static_cast<double>(i));
  }
  counts += word(std::uint64_t{1});
  const std::string point =
      wide + fixed_field(3, kNowNs) + bytes_field(6, counts) + bytes_field(7, bounds);
  const std::string body =
      one_metric(metric("h", "", 9, bytes_field(1, point) + varint_field(2, 2)));
  EXPECT_LT(body.size(), 25'000U);
  EXPECT_EQ(refused(body), Errc::too_large);
  EXPECT_TRUE(parse(body, OtlpFormat::protobuf, 8 << 20));
}

TEST(OtlpReplies, InBothEncodings) {
  EXPECT_EQ(render_otlp_reply(OtlpFormat::protobuf, 0, ""), "");
  EXPECT_EQ(render_otlp_reply(OtlpFormat::json, 0, ""), "{}");
  EXPECT_EQ(render_otlp_reply(OtlpFormat::protobuf, 300, "no"),
            std::string("\x0A\x07\x08\xAC\x02\x12\x02no", 9));
  EXPECT_EQ(render_otlp_reply(OtlpFormat::json, 300, "n\"o"),
            R"({"partialSuccess":{"rejectedDataPoints":"300","errorMessage":"n\"o"}})");
  EXPECT_EQ(render_otlp_status(OtlpFormat::protobuf, 14, "away"), std::string("\x08\x0E\x12\x04"
                                                                              "away",
                                                                              8));
  EXPECT_EQ(render_otlp_status(OtlpFormat::json, 3, "bad"), R"({"code":3,"message":"bad"})");
}

}  // namespace
}  // namespace sensus::codec::test
