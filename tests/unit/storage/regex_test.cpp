#include "storage/regex_internal.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace sensus::storage {
namespace {

TEST(Regex, AlternativesOfPlainTextAreAList) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"", {""}},
      {"a", {"a"}},
      {"a|b|c", {"a", "b", "c"}},
      {"a\\.b|c-d/e", {"a.b", "c-d/e"}},
      {"a|", {"a", ""}},
      {"\\|", {"|"}},
      {"\xC3\xA9 x", {"\xC3\xA9 x"}}};
  for (const auto& [re2, expected] : cases) {
    const auto regex = rewrite_regex(re2);
    ASSERT_TRUE(regex.has_value()) << re2;
    EXPECT_EQ(regex->literals, expected) << re2;
  }
}

TEST(Regex, IsRewrittenForPostgres) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a.*", "^(?:a.*)$"},
      {"a.+?b??", "^(?:a.+b?)$"},
      {"(a|b)c", "^(?:(?:a|b)c)$"},
      {"(?:a)(?P<n>b)", "^(?:(?:a)(?:b))$"},
      {"(?i)abc", "(?i)^(?:abc)$"},
      {"(?s)a.", "^(?:a.)$"},
      {"\\d\\D\\w\\S", "^(?:[0-9][^0-9][0-9A-Za-z_][^\\t\\n\\f\\r ])$"},
      {"\\ba\\B\\A\\z", "^(?:\\ya\\Y\\A\\Z)$"},
      {"\\n\\.\\[.", "^(?:\\n\\.\\[.)$"},
      {"[^\\d\\]x-z[:alpha:]]", "^(?:[^0-9\\]x-z[:alpha:]])$"},
      {"[]a]", "^(?:[\\]a])$"},
      {"[[=a]", "^(?:[\\[=a])$"},
      {"a{2}b{1,}c{0,255}?", "^(?:a{2}b{1,}c{0,255})$"},
      {"a{x}{,3}]", "^(?:a\\{x\\}\\{,3\\}\\])$"},
      {"()x*", "^(?:(?:)x*)$"},
  };
  for (const auto& [re2, expected] : cases) {
    const auto regex = rewrite_regex(re2);
    ASSERT_TRUE(regex.has_value()) << re2 << ": " << regex.error().message;
    EXPECT_FALSE(regex->literals.has_value()) << re2;
    EXPECT_EQ(regex->pattern, expected) << re2;
  }
}

TEST(Regex, WhatSearchesSlowlyOrMeansAnotherThingIsRefused) {
  for (const std::string re2 :
       {"(?=a)b", "(?<=a)", "(a)\\1",  "\\k",     "(?m)a", "a(?i)b", "a**",      "*a",
        "|*",     "(*)",    "(",       ")",       "(?P<a", "[a",     "[",        "[[:^alpha:]]",
        "[\\D]",  "\\pL",   "\\x41",   "\\Qa\\E", ".\\",   "a{256}", "a{1,256}", "a{99999999999}",
        "a{3,2}", "{3}",    "a{2}{3}", "a*{2}"}) {
    const auto regex = rewrite_regex(re2);
    ASSERT_FALSE(regex.has_value()) << re2;
    EXPECT_EQ(regex.error().code, Errc::invalid_input);
    EXPECT_FALSE(regex.error().message.empty());
  }
  EXPECT_TRUE(rewrite_regex(std::string(kRegexBytesMax, '.')).has_value());
  EXPECT_FALSE(rewrite_regex(std::string(kRegexBytesMax + 1, '.')).has_value());
}

}  // namespace
}  // namespace sensus::storage
