#include "http/target_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::http {
namespace {

struct Case {
  std::string target;
  std::string path;  ///< Empty: refused.
};

class TargetPath : public testing::TestWithParam<Case> {};

TEST_P(TargetPath, IsNormalisedOrRefused) {
  std::string path;
  QueryPairs query;
  const auto wrong = parse_target(GetParam().target, path, query);
  if (GetParam().path.empty()) {
    EXPECT_NE(wrong, "") << path;
  } else {
    EXPECT_EQ(wrong, "");
    EXPECT_EQ(path, GetParam().path);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, TargetPath,
    testing::Values(Case{"/", "/"}, Case{"/a/b", "/a/b"}, Case{"/a/b/", "/a/b/"}, Case{"//a///b", "/a/b"},
                    Case{"//", "/"}, Case{"/./a/./b", "/a/b"}, Case{"/a/.", "/a"}, Case{"/.", "/"},
                    Case{"/%61%2Eb", "/a.b"}, Case{"/caf%C3%A9", "/caf\xc3\xa9"}, Case{"/a+b", "/a+b"},
                    Case{"/a?x=1", "/a"}, Case{"*", "*"}, Case{"http://h/a", "/a"},
                    Case{"HTTP://h:8080//a", "/a"}, Case{"https://h", "/"}, Case{"http://h?x=1", "/"},
                    Case{"?x=1", ""}, Case{"/a/../b", ""}, Case{"/..", ""}, Case{"/%2e%2e/a", ""}, Case{"/%2E./a", ""},
                    Case{"/a%2fb", ""}, Case{"/a%2Fb", ""}, Case{"/a%5cb", ""}, Case{"/a\\b", ""},
                    Case{"/a%00b", ""}, Case{"/a%0d%0ab", ""}, Case{"/a%7f", ""}, Case{"/a%zz", ""}, Case{"/a%2", ""},
                    Case{"/a%", ""}, Case{"/%ff", ""}, Case{"/%c3", ""}, Case{"/a#b", ""}, Case{"a/b", ""},
                    Case{"host:443", ""}, Case{"ftp://h/a", ""}, Case{"http:///a", ""}, Case{"http://u@h/a", ""},
                    Case{"", ""}));

TEST(TargetQuery, IsDecodedInOrder) {
  std::string path;
  QueryPairs query{{"old", "gone"}};
  EXPECT_EQ(parse_target("/a?b=1&a=x%26y&c=two+words&flag&e=&&b=2", path, query), "");
  const QueryPairs expected{{"b", "1"}, {"a", "x&y"}, {"c", "two words"}, {"flag", ""}, {"e", ""}, {"b", "2"}};
  EXPECT_EQ(query, expected);
}

TEST(TargetQuery, BadBytesAreRefused) {
  std::string path;
  QueryPairs query;
  EXPECT_NE(parse_target("/a?x=%00", path, query), "");
  EXPECT_NE(parse_target("/a?x=%zz", path, query), "");
  EXPECT_NE(parse_target("/a?%ff=1", path, query), "");
  EXPECT_NE(parse_target("/a?x=%c3%28", path, query), "");
}

TEST(TargetQuery, HasAtMost256Parameters) {
  std::string path;
  QueryPairs query;
  std::string target = "/a?";
  for (int i = 0; i < 256; ++i) {
    target += "x&";
  }
  EXPECT_EQ(parse_target(target, path, query), "");
  EXPECT_EQ(query.size(), 256U);
  EXPECT_NE(parse_target(target + "x", path, query), "");
}

}  // namespace
}  // namespace sensus::http
