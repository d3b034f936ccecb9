#include "sensus/codec/exposition_text.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

namespace sensus::codec {
namespace {

constexpr std::int64_t kMs = 1'780'315'200'000;
const Timestamp kNow = from_unix_us(kMs * 1000);

Result<model::SampleBatch> parse(std::string_view body) {
  return parse_exposition_text(body, kNow, {});
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
                             "m 1 1780315200000 # {} 1",
                             "m 1 99999999999999999999",
                             "m 1 -99999999999999999999",
                             "m 1 0",
                             "m 1\r",
                             "m{a=\"\xff\"} 1",
                             std::string("m{a=\"\0\"} 1", 11),
                             "m-n 1",
                             "m.5",
                             "m.5 1",
                             "# TYPE",
                             "# TYPE m",
                             "# TYPE m curve",
                             "# TYPE m counter x",
                             "# TYPE 1 counter",
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

}  // namespace
}  // namespace sensus::codec
