#include "query_params_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <gtest/gtest.h>

namespace sensus::api {
namespace {

const ParamSpecs& specs() {
  static const ParamSpecs all = {
      {.name = "word", .max = 4},
      {.name = "colour", .kind = ParamKind::choice, .choices = {"red", "green"}},
      {.name = "count", .kind = ParamKind::integer, .min = 1, .max = 10},
      {.name = "score", .kind = ParamKind::number, .min = 0, .max = 1},
      {.name = "from", .kind = ParamKind::time, .alias = "start"},
      {.name = "step", .kind = ParamKind::duration, .min = 1, .max = 3600},
      {.name = "match", .kind = ParamKind::matcher, .repeated = true},
      {.name = "cursor", .kind = ParamKind::cursor},
  };
  return all;
}

Result<QueryParams> parse(std::vector<std::pair<std::string, std::string>> query) {
  http::Request request;
  request.query = std::move(query);
  return QueryParams::parse(request, specs());
}

TEST(QueryParams, ReadsEveryKind) {
  const model::PageKey key{from_unix_us(5), 7};
  const auto query = parse({{"word", "abcd"}, {"colour", "red"}, {"count", "10"}, {"score", "0.25"},
                            {"from", "2026-11-20T09:00:00Z"}, {"step", "1m"}, {"match", "a=\"b\""}, {"match", "c!=d"},
                            {"cursor", codec::render_cursor(key)}});
  ASSERT_TRUE(query) << query.error().message;
  EXPECT_EQ(query->text("word"), "abcd");
  EXPECT_EQ(query->text("colour"), "red");
  EXPECT_EQ(query->integer("count"), 10);
  EXPECT_EQ(query->number("score"), 0.25);
  EXPECT_EQ(query->time("from"), parse_rfc3339("2026-11-20T09:00:00Z").value());
  EXPECT_EQ(query->duration("step"), std::chrono::minutes{1});
  ASSERT_EQ(query->matchers("match").size(), 2U);
  EXPECT_EQ(query->matchers("match")[1].op, model::MatchOp::not_equal);
  EXPECT_EQ(query->cursor("cursor")->id, 7);
}

TEST(QueryParams, AbsentIsEmpty) {
  const auto query = parse({});
  ASSERT_TRUE(query);
  EXPECT_EQ(query->text("word"), "");
  EXPECT_FALSE(query->integer("count"));
  EXPECT_FALSE(query->cursor("cursor"));
  EXPECT_TRUE(query->matchers("match").empty());
}

struct Bad {
  std::string name;
  std::string value;
  std::string field;
};
class BadValue : public ::testing::TestWithParam<Bad> {};

TEST_P(BadValue, IsRefusedByName) {
  const auto query = parse({{GetParam().name, GetParam().value}});
  ASSERT_FALSE(query);
  EXPECT_EQ(query.error().code, Errc::invalid_input);
  EXPECT_EQ(query.error().field, GetParam().field);
  EXPECT_NE(query.error().message.find(GetParam().field == "query" ? "unknown" : GetParam().field), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    QueryParams, BadValue,
    ::testing::Values(Bad{"word", "", "word"}, Bad{"word", "abcde", "word"}, Bad{"word", "\xff", "word"},
                      Bad{"word", std::string("a\0b", 3), "word"}, Bad{"colour", "blue", "colour"},
                      Bad{"count", "0", "count"}, Bad{"count", "11", "count"}, Bad{"count", "1x", "count"},
                      Bad{"count", " 1", "count"}, Bad{"count", "99999999999999999999", "count"},
                      Bad{"score", "nan", "score"}, Bad{"score", "1.01", "score"}, Bad{"from", "yesterday", "from"},
                      Bad{"from", "-1", "from"}, Bad{"from", "inf", "from"}, Bad{"from", "1e300", "from"},
                      Bad{"step", "0", "step"}, Bad{"step", "-1", "step"}, Bad{"step", "2h", "step"},
                      Bad{"match", "nothing", "match"}, Bad{"cursor", "x", "cursor"}, Bad{"colours", "red", "colours"},
                      Bad{"\xff", "1", "query"}, Bad{"", "1", "query"}));

TEST(QueryParams, LimitsAreInclusive) {
  EXPECT_TRUE(parse({{"count", "1"}}));
  EXPECT_TRUE(parse({{"score", "1"}}));
  EXPECT_TRUE(parse({{"step", "1h"}}));
}

TEST(QueryParams, TimesMayBeUnixSecondsMillisecondsOrHaveAnUnescapedOffset) {
  const Timestamp expected = parse_rfc3339("2026-11-20T09:00:00Z").value();
  for (const char* text : {"1795165200", "1795165200.0", "1795165200000", "2026-11-20T10:00:00+01:00", "2026-11-20T10:00:00 01:00"}) {
    const auto query = parse({{"from", text}});
    ASSERT_TRUE(query) << text << query.error().message;
    EXPECT_EQ(query->time("from"), expected) << text;
  }
}

TEST(QueryParams, StepMayBeSeconds) {
  const auto query = parse({{"step", "1.5"}});
  ASSERT_TRUE(query);
  EXPECT_EQ(query->duration("step"), std::chrono::milliseconds{1500});
}

TEST(QueryParams, AliasIsTheSameParameter) {
  const auto query = parse({{"start", "0"}});
  ASSERT_TRUE(query);
  EXPECT_EQ(query->time("from"), Timestamp{});
  const auto both = parse({{"start", "0"}, {"from", "0"}});
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().field, "from");
}

TEST(QueryParams, SecondValueIsRefusedUnlessRepeatable) {
  const auto twice = parse({{"count", "1"}, {"count", "2"}});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().field, "count");
}

TEST(QueryParams, RequiredMustBeThere) {
  http::Request request;
  const ParamSpecs required = {{.name = "metric", .max = 10, .required = true}};
  const auto query = QueryParams::parse(request, required);
  ASSERT_FALSE(query);
  EXPECT_EQ(query.error().field, "metric");
}

TEST(QueryParams, MessageEchoesShortValuesOnly) {
  EXPECT_NE(parse({{"colour", "blue"}}).error().message.find("\"blue\""), std::string::npos);
  EXPECT_EQ(parse({{"colour", std::string(100, 'b')}}).error().message.find("bbb"), std::string::npos);
}

}  // namespace
}  // namespace sensus::api
