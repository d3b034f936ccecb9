#include "sensus/codec/exposition_text.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

namespace sensus::codec {
namespace {

constexpr std::int64_t kMs = 1'780'315'200'000;
const Timestamp kNow = from_unix_us(kMs * 1000);

Result<Exposition> parse_whole(std::string_view body,
                               ExpositionFormat format = ExpositionFormat::text) {
  return parse_exposition(body, format, kNow, {});
}
Result<model::SampleBatch> parse(std::string_view body,
                                 ExpositionFormat format = ExpositionFormat::text) {
  SENSUS_TRY(Exposition page, parse_whole(body, format));
  return std::move(page.samples);
}

TEST(ExpositionText, APageOfPrometheus) {
  const auto batch = parse(
      "# HELP http_requests_total The total number of HTTP requests.\n"
      "# TYPE http_requests_total counter\n"
      "http_requests_total{method=\"post\",code=\"200\"} 1027 1780315200000\n"
      "\n"
      "# A comment, then blanks, tabs and a comma too many.\n"
      " \t up \t 1 \n"
      "something_weird{problem=\"division by zero\" , }\t+Inf -1\n");
  ASSERT_FALSE(batch) << "1969 is outside the window";
  EXPECT_EQ(batch.error().field, "line 7");

  const auto good =
      parse("http_requests_total{method=\"post\",code=\"200\"} 1027 1780315199000\n \t up \t 1 \n");
  ASSERT_TRUE(good) << good.error().message;
  ASSERT_EQ(good->size(), 2U);
  EXPECT_EQ(good->key(good->rows()[0]),
            model::encode_series_key("http_requests_total", {{"code", "200"}, {"method", "post"}}));
  EXPECT_EQ(good->rows()[0].value, 1027);
  EXPECT_EQ(good->rows()[0].time, kNow - std::chrono::seconds{1});
  EXPECT_EQ(good->key(good->rows()[1]), model::encode_series_key("up", {}));
  EXPECT_EQ(good->rows()[1].time, kNow) << "no time: now";
}

TEST(ExpositionText, NothingIsFine) {
  for (const char* body : {"", "\n", "\n\n# EOF\n", "#", "# HELP", "# TYPEa b"}) {
    const auto batch = parse(body);
    ASSERT_TRUE(batch) << body;
    EXPECT_TRUE(batch->empty());
  }
}

TEST(ExpositionText, TheLastLineMayLackItsEnd) { EXPECT_EQ(parse("a 1\nb 2").value().size(), 2U); }

TEST(ExpositionText, Values) {
  struct Case {
    const char* text;
    double value;
  };
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Case& one :
       {Case{"1", 1}, Case{"-1.5e3", -1500}, Case{"+2", 2}, Case{".5", 0.5}, Case{"5.", 5},
        Case{"1E-2", 0.01}, Case{"+Inf", infinity}, Case{"Inf", infinity}, Case{"-Inf", -infinity},
        Case{"-inf", -infinity}, Case{"+infinity", infinity}}) {
    const auto batch = parse(std::string("m ") + one.text);
    ASSERT_TRUE(batch) << one.text;
    EXPECT_EQ(batch->rows()[0].value, one.value) << one.text;
  }
  for (const char* text : {"NaN", "Nan", "nan"}) {
    EXPECT_TRUE(std::isnan(parse(std::string("m ") + text).value().rows()[0].value));
  }
}

TEST(ExpositionText, EscapesInLabelValues) {
  const auto batch = parse(R"(m{path="C:\\DIR",error="a\nb \"c\"",utf="é{},=",gone=""} 1)");
  ASSERT_TRUE(batch) << batch.error().message;
  EXPECT_EQ(batch->key(batch->rows()[0]),
            model::encode_series_key(
                "m", {{"path", "C:\\DIR"}, {"error", "a\nb \"c\""}, {"utf", "é{},="}}));
}

TEST(ExpositionText, ColonsBelongToMetricNamesOnly) {
  EXPECT_TRUE(parse(":a:b1 1"));
  EXPECT_FALSE(parse("m{a:b=\"c\"} 1"));
}

TEST(ExpositionText, ErrorsNameTheLine) {
  const std::string long_value(model::InputLimits{}.label_value_bytes_max + 1, 'x');
  const std::string bad[] = {"1m 1",
                             "{a=\"b\"} 1",
                             "m",
                             "m ",
                             "m{",
                             "m{a",
                             "m{a}",
                             "m{a=b} 1",
                             "m{a=\"b} 1",
                             "m{a=\"b\" c=\"d\"} 1",
                             "m{a=\"b\\t\"} 1",
                             "m{a=\"b\\",
                             "m{,} 1",
                             "m{a=\"b\",,} 1",
                             "m{1a=\"b\"} 1",
                             "m{a=\"1\",a=\"2\"} 1",
                             "m{__name__=\"n\"} 1",
                             "m one",
                             "m 1x",
                             "m 0x1p3",
                             "m nan(1)",
                             "m +-1",
                             "m ++1",
                             "m + 1",
                             "m 1e999",
                             "m 1 2026-01-01",
                             "m 1 1.5",
                             "m 1 1780315200000 x",
                             "m 1 99999999999999999999",
                             "m 1 -99999999999999999999",
                             "m 1 0",
                             "m 1\r",
                             "m 1 # an exemplar has braces",
                             "m{a=\"\xff\"} 1",
                             std::string("m{a=\"\0\"} 1", 11),
                             "m-n 1",
                             "m.5",
                             "m.5 1",
                             std::string(256, 'm') + " 1",
                             "m{a=\"" + long_value + "\"} 1"};
  for (const std::string& line : bad) {
    const auto batch = parse("good 1\n\n" + line + "\ngood 2\n");
    ASSERT_FALSE(batch) << line;
    EXPECT_EQ(batch.error().code, Errc::invalid_input) << line;
    EXPECT_TRUE(batch.error().field.starts_with("line 3")) << line << ": " << batch.error().field;
  }
}

TEST(ExpositionText, AsManyLabelsAsAllowed) {
  std::string labels;
  for (std::size_t i = 0; i < model::InputLimits{}.label_count_max; ++i) {
    labels += "l" + std::to_string(i) + "=\"v\",";
  }
  EXPECT_TRUE(parse("m{" + labels + "} 1"));
  EXPECT_FALSE(parse("m{" + labels + "more=\"v\"} 1"));
}

TEST(ExpositionText, TheWindowItself) {
  const model::InputLimits limits;
  const std::int64_t latest = kMs + std::chrono::milliseconds(limits.future_window).count();
  EXPECT_TRUE(parse("m 1 " + std::to_string(latest)));
  EXPECT_FALSE(parse("m 1 " + std::to_string(latest + 1)));
}

TEST(ExpositionMetadata, TypeHelpAndUnitOfAFamilyAreOne) {
  const auto page = parse_whole(
      "# HELP a The \\\\ and the\\nline, \\t as it is. \n"
      "# TYPE a counter\n"
      "a 1\n"
      "# TYPE b_seconds histogram\n"
      "# UNIT b_seconds seconds\n"
      "# HELP\tb_seconds\tOf b.\n"
      "b_seconds_count 1\n"
      "# HELP c\n"
      "# a comment\n"
      "#TYPE d gauge");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->refused_metadata, 0U);
  ASSERT_EQ(page->metadata.size(), 4U);
  EXPECT_EQ(page->metadata[0].family, "a");
  EXPECT_EQ(page->metadata[0].type, model::MetricType::counter);
  EXPECT_EQ(page->metadata[0].help, "The \\ and the\nline, \\t as it is. ");
  EXPECT_EQ(page->metadata[1].family, "b_seconds");
  EXPECT_EQ(page->metadata[1].type, model::MetricType::histogram);
  EXPECT_EQ(page->metadata[1].unit, "seconds");
  EXPECT_EQ(page->metadata[1].help, "Of b.");
  EXPECT_EQ(page->metadata[2].family, "c");
  EXPECT_EQ(page->metadata[2].help, "");
  EXPECT_EQ(page->metadata[3].family, "d");
}

TEST(ExpositionMetadata, BrokenMetadataRefusesNoSamples) {
  for (const char* line : {"# TYPE", "# TYPE m curve", "# TYPE m counter x", "# HELP m \xff",
                           "# HELP \xff help", "# UNIT"}) {
    const auto page = parse_whole(std::string(line) + "\nm 1\n");
    ASSERT_TRUE(page) << line;
    EXPECT_EQ(page->samples.size(), 1U);
    EXPECT_EQ(page->refused_metadata, 1U) << line;
  }
}

TEST(OpenMetrics, IsToldByItsTypeOrItsEnd) {
  const auto of = [](std::string_view type, std::string_view body) {
    return exposition_format(type, body) == ExpositionFormat::open_metrics;
  };
  EXPECT_TRUE(of("application/openmetrics-text; version=1.0.0; charset=utf-8", "a 1\n"));
  EXPECT_TRUE(of("application/x-www-form-urlencoded", "a 1\n# EOF\n"));
  EXPECT_TRUE(of("", "a 1\n# EOF"));
  EXPECT_TRUE(of("", "# EOF\n"));
  EXPECT_FALSE(of("", "a 1\n"));
  EXPECT_FALSE(of("text/plain; version=0.0.4", "# EOF\na 1\n"));
  EXPECT_FALSE(of("", "a 1 # EOF"));
  EXPECT_FALSE(of("", ""));
}

TEST(OpenMetrics, TimestampsAreSeconds) {
  const auto page = parse("a 1 1780315199.25\nb 2 1780315199\nc 3\nd 4 1.780315199e9\n# EOF\n",
                          ExpositionFormat::open_metrics);
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->size(), 4U);
  EXPECT_EQ(page->rows()[0].time, kNow - std::chrono::milliseconds{750});
  EXPECT_EQ(page->rows()[1].time, kNow - std::chrono::seconds{1});
  EXPECT_EQ(page->rows()[2].time, kNow);
  EXPECT_EQ(page->rows()[3].time, kNow - std::chrono::seconds{1});
  for (const char* bad : {"a 1 1780315200000", "a 1 nan", "a 1 inf", "a 1 1e999", "a 1 yesterday"}) {
    EXPECT_FALSE(parse(std::string(bad) + "\n# EOF\n", ExpositionFormat::open_metrics)) << bad;
  }
}

TEST(OpenMetrics, ExemplarsAreCountedAndSkipped) {
  const auto page = parse_whole(
      "a_bucket{le=\"1\"} 3 # {trace_id=\"KOO5S4vxi0o\"} 0.67\n"
      "a_bucket{le=\"+Inf\"} 4 1780315199 # {trace_id=\"x y\"} 9.8 1780315198.1\n"
      "# EOF\n",
      ExpositionFormat::open_metrics);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->exemplars, 2U);
  ASSERT_EQ(page->samples.size(), 2U);
  EXPECT_EQ(page->samples.rows()[0].value, 3);
  EXPECT_EQ(page->samples.rows()[1].time, kNow - std::chrono::seconds{1});
}

TEST(OpenMetrics, APageWithoutItsEndWasCutOff) {
  const auto cut = parse("a 1\nb 2\n", ExpositionFormat::open_metrics);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().field, "line 2");
  const auto more = parse("a 1\n# EOF\nb 2\n", ExpositionFormat::open_metrics);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().field, "line 3");
  EXPECT_TRUE(parse("# EOF", ExpositionFormat::open_metrics));
}

}  // namespace
}  // namespace sensus::codec
