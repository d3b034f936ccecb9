#include "sensus/llm/prompt.hpp"

#include <gtest/gtest.h>

namespace sensus::llm {
namespace {

std::string answer(const std::string& confidence = "0.8", const std::string& root_cause = "The disk is full.") {
  return R"({"root_cause":")" + root_cause + R"(","mitigation":"Free space.","analysis":"Disk use rose first.","confidence":)" + confidence + "}";
}

TEST(ParseExplanation, ReadsASoundAnswer) {
  const auto parsed = parse_explanation(answer());
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->root_cause, "The disk is full.");
  EXPECT_EQ(parsed->mitigation, "Free space.");
  EXPECT_EQ(parsed->analysis, "Disk use rose first.");
  EXPECT_DOUBLE_EQ(parsed->confidence, 0.8);
}

TEST(ParseExplanation, ReadsPercentAsPercent) {
  const auto parsed = parse_explanation(answer("85"));
  ASSERT_TRUE(parsed);
  EXPECT_DOUBLE_EQ(parsed->confidence, 0.85);
}

TEST(ParseExplanation, RejectsWhatBreaksTheSchema) {
  std::string many = R"({"root_cause":"x","mitigation":"y","analysis":"z","confidence":0.5)";
  for (int i = 0; i < 10'000; ++i) {
    many += ",\"cause_" + std::to_string(i) + "\":\"c\"";
  }
  many += "}";
  const std::string deep = std::string(2000, '[') + std::string(2000, ']');
  for (const std::string& text :
       {std::string(), std::string("   \n  "), std::string("[]"), std::string("\"text\""), std::string("<html></html>"), answer().substr(0, 40),
        answer() + "x", std::string(R"({"root_cause":"x"})"), answer("-0.1"), answer("101"), answer("\"high\""), answer("null"), answer("1e999"),
        answer("0.8", ""), answer("0.8", "  "), std::string(R"({"root_cause":["a"],"mitigation":"y","analysis":"z","confidence":0.5})"), many, deep,
        std::string("{\"a\":\0}", 7), answer("0.8", "bad \xFF byte")}) {
    const auto parsed = parse_explanation(text);
    ASSERT_FALSE(parsed) << text.substr(0, 80);
    EXPECT_EQ(parsed.error().code, Errc::corrupt);
  }
}

TEST(ParseExplanation, RejectsAnAnswerThatRepeatsItsInstructions) {
  EXPECT_FALSE(parse_explanation(answer("0.8", "My rules: sensus-mark-5d1c9e")));
}

TEST(ParseExplanation, ClipsFieldsAtTheLimit) {
  const auto fits = parse_explanation(answer("0.5", std::string(8192, 'x')));
  ASSERT_TRUE(fits);
  EXPECT_EQ(fits->root_cause, std::string(8192, 'x'));
  const auto over = parse_explanation(answer("0.5", std::string(8193, 'x')));
  ASSERT_TRUE(over);
  EXPECT_EQ(over->root_cause.size(), 8192u);
  EXPECT_TRUE(over->root_cause.ends_with("..."));
}

TEST(ParseExplanation, StripsLinksImagesAndSecrets) {
  const auto parsed = parse_explanation(
      answer("0.5", "See ![x](http://evil/?q=1) and [runbook](http://evil/), mail bob@example.com; use password=hunter2 a](b"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->root_cause, "See x and runbook, mail [redacted]; use password=[redacted] a](b");
}

}  // namespace
}  // namespace sensus::llm
