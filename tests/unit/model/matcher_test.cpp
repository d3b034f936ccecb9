#include "sensus/model/labels.hpp"

#include <gtest/gtest.h>

namespace sensus::model {
namespace {

TEST(Matcher, ParsesQuotedAndBareValues) {
  const auto quoted = parse_matcher("severity=\"critical\"");
  ASSERT_TRUE(quoted.has_value());
  EXPECT_EQ(quoted->name, "severity");
  EXPECT_EQ(quoted->op, MatchOp::equal);
  EXPECT_EQ(quoted->value, "critical");
  const auto bare = parse_matcher("severity=critical");
  ASSERT_TRUE(bare.has_value());
  EXPECT_EQ(bare->value, "critical");
  const auto unequal = parse_matcher(" severity != \"info\" ");
  ASSERT_TRUE(unequal.has_value());
  EXPECT_EQ(unequal->name, "severity");
  EXPECT_EQ(unequal->op, MatchOp::not_equal);
  EXPECT_EQ(unequal->value, "info");
}

TEST(Matcher, KeepsEqualSignsAndEscapesOfTheValue) {
  EXPECT_EQ(parse_matcher("q=\"a=b\"")->value, "a=b");
  EXPECT_EQ(parse_matcher("q=a=b")->value, "a=b");
  EXPECT_EQ(parse_matcher("q=\"say \\\"hi\\\"\\n\\\\\"")->value, "say \"hi\"\n\\");
  EXPECT_EQ(parse_matcher("q=")->value, "");
  EXPECT_EQ(parse_matcher("q=\"\"")->value, "");
}

TEST(Matcher, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"", "severity", "=x", "!=x", "a=~\"x.*\"", "a!~\"x\"", "a==b", "a=\"x", "a=x\"", "a=\"x\"y\"",
                           "a=\"x\\", "a=\"\\q\"", "{a=\"b\"", "a b=c", "a=\""}) {
    EXPECT_FALSE(parse_matcher(text).has_value()) << text;
  }
}

TEST(Matcher, AMissingLabelCountsAsEmpty) {
  const Labels labels{{"severity", "critical"}};
  EXPECT_TRUE(matches({"severity", MatchOp::equal, "critical"}, labels));
  EXPECT_FALSE(matches({"severity", MatchOp::not_equal, "critical"}, labels));
  EXPECT_TRUE(matches({"team", MatchOp::equal, ""}, labels));
  EXPECT_TRUE(matches({"team", MatchOp::not_equal, "a"}, labels));
  EXPECT_FALSE(matches({"team", MatchOp::equal, "a"}, labels));
}

}  // namespace
}  // namespace sensus::model
