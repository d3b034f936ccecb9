#include "sensus/model/selector.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace sensus::model {
namespace {

SeriesMatcher named(const std::string& name) { return {"__name__", SeriesMatchOp::equal, name}; }

TEST(Selector, ReadsWhatPrometheusReads) {
  using enum SeriesMatchOp;
  const std::vector<std::pair<std::string, Selector>> cases = {
      {"up", {named("up")}},
      {" job:rate:5m {} ", {named("job:rate:5m")}},
      {"up{job=\"a\"}", {named("up"), {"job", equal, "a"}}},
      {"up{job=\"a\",}", {named("up"), {"job", equal, "a"}}},
      {"up { job != 'a' , x=~`a|\\d` , y !~ \"\" }",
       {named("up"), {"job", not_equal, "a"}, {"x", regex, "a|\\d"}, {"y", not_regex, ""}}},
      {"{__name__=~\"cpu_.+\"}", {{"__name__", regex, "cpu_.+"}}},
      {"{\"my.metric\", \"a label\"=\"x\"}", {named("my.metric"), {"a label", equal, "x"}}},
      {"{\"my.metric\"}", {named("my.metric")}},
      {"a{b=\"\\\"\\\\\\n\\x41\\101\\u00e9\\U0001F600\"}",
       {named("a"), {"b", equal, "\"\\\nAA\xC3\xA9\xF0\x9F\x98\x80"}}},
      {"a{b='it\\'s'}", {named("a"), {"b", equal, "it's"}}},
      {"a{b=\"{,}\"}", {named("a"), {"b", equal, "{,}"}}},
  };
  for (const auto& [text, expected] : cases) {
    const auto selector = parse_selector(text);
    ASSERT_TRUE(selector.has_value()) << text << ": " << selector.error().message;
    EXPECT_EQ(*selector, expected) << text;
  }
}

TEST(Selector, SaysWhereItIsWrong) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "name of a metric or an opening brace at character 1"},
      {"{}", "every series"},
      {"rate(up[5m])", "functions and ranges"},
      {"up[5m]", "functions and ranges"},
      {"up{", "name of a label at character 4"},
      {"up{job}", "expected =, !=, =~ or !~ at character 7"},
      {"up{job=}", "value in quotes at character 8"},
      {"up{job=\"a}", "closing quote"},
      {"up{job=\"a\" x=\"b\"}", "comma or the closing brace"},
      {"up{job==\"a\"}", "value in quotes"},
      {"up{__name__=\"x\"}", "second name"},
      {"up{\"x\"}", "second name"},
      {"up{1a=\"x\"}", "name of a label"},
      {"up{a=\"\\d\"}", "backslash of a regular expression"},
      {"up{a=\"\\xZ\"}", "too few digits"},
      {"up{a=\"\\400\"}", "stands for no character"},
      {"up{a=\"\\uD800\"}", "stands for no character"},
      {"up{a=\"\\xFF\"}", "not UTF-8"},
      {"up{a=\"\\x00\"}", "without NUL"},
      {"up} ", "nothing more"},
  };
  for (const auto& [text, expected] : cases) {
    const auto selector = parse_selector(text);
    ASSERT_FALSE(selector.has_value()) << text;
    EXPECT_EQ(selector.error().code, Errc::invalid_input);
    EXPECT_NE(selector.error().message.find(expected), std::string::npos)
        << text << ": " << selector.error().message;
  }
}

TEST(Selector, HasLimits) {
  std::string many = "a{";
  for (std::size_t i = 1; i < kSelectorMatchersMax; ++i) {
    many += "l=\"x\",";
  }
  EXPECT_TRUE(parse_selector(many + "}").has_value()) << "the name is a matcher too";
  EXPECT_FALSE(parse_selector(many + "l=\"x\"}").has_value());
  EXPECT_TRUE(parse_selector(std::string(kSelectorBytesMax, 'a')).has_value());
  EXPECT_FALSE(parse_selector(std::string(kSelectorBytesMax + 1, 'a')).has_value());
}

TEST(SeriesMatcher, StandsAloneWithOrWithoutQuotes) {
  using enum SeriesMatchOp;
  const std::vector<std::pair<std::string, SeriesMatcher>> cases = {
      {"job=a", {"job", equal, "a"}},
      {"job = \"a b\" ", {"job", equal, "a b"}},
      {"job!=", {"job", not_equal, ""}},
      {"job=~a|b", {"job", regex, "a|b"}},
      {"job!~\"a.*\"", {"job", not_regex, "a.*"}},
      {"a.b=c=d", {"a.b", equal, "c=d"}},
      {"\"a b\"=\"\\\\d\"", {"a b", equal, "\\d"}},
  };
  for (const auto& [text, expected] : cases) {
    const auto matcher = parse_series_matcher(text);
    ASSERT_TRUE(matcher.has_value()) << text << ": " << matcher.error().message;
    EXPECT_EQ(*matcher, expected) << text;
  }
  for (const std::string text :
       {"", "job", "=a", "job==a", "job=\"a", "job=\"a\"b", "job=a\"b", "job~a", "job=\xFF"}) {
    EXPECT_FALSE(parse_series_matcher(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace sensus::model
