#include "http/accept_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::http {
namespace {

const std::vector<std::string> kJson{"application/json"};

TEST(Accept, EmptyAllowsEverything) {
  EXPECT_TRUE(accept_allows("", kJson));
  EXPECT_TRUE(accept_allows("  ", kJson));
  EXPECT_TRUE(accept_allows("text/html", {}));
}

TEST(Accept, RangesMatchByTypeAndByStar) {
  EXPECT_TRUE(accept_allows("*/*", kJson));
  EXPECT_TRUE(accept_allows("application/*", kJson));
  EXPECT_TRUE(accept_allows("APPLICATION/JSON", kJson));
  EXPECT_TRUE(accept_allows("text/html, application/json;q=0.5", kJson));
  EXPECT_TRUE(accept_allows("application/json;version=1;q=0.001", kJson));
  EXPECT_FALSE(accept_allows("text/html", kJson));
  EXPECT_FALSE(accept_allows("text/*", kJson));
  EXPECT_FALSE(accept_allows("appl/*", kJson));
  EXPECT_TRUE(accept_allows("text/plain", {"text/plain; version=0.0.4"}));
}

TEST(Accept, TheMostSpecificRangeDecides) {
  EXPECT_FALSE(accept_allows("*/*, application/json;q=0", kJson));
  EXPECT_FALSE(accept_allows("application/json;q=0, */*", kJson));
  EXPECT_FALSE(accept_allows("*/*;q=1, application/*;q=0", kJson));
  EXPECT_TRUE(accept_allows("application/*;q=0, application/json;q=0.1", kJson));
  EXPECT_TRUE(accept_allows("application/json;q=0, */*", {"application/json", "text/csv"}));
}

TEST(Accept, UnparsableRangesAreIgnored) {
  EXPECT_TRUE(accept_allows("application/json;q=2", kJson)) << "nothing is left, so nothing is excluded";
  EXPECT_TRUE(accept_allows(",,;", kJson));
  EXPECT_FALSE(accept_allows("application/json;q=nan, text/html", kJson));
}

TEST(AcceptEncoding, GzipByNameOrStar) {
  EXPECT_TRUE(accepts_gzip("gzip"));
  EXPECT_TRUE(accepts_gzip("deflate, GZIP;q=0.5"));
  EXPECT_TRUE(accepts_gzip("x-gzip"));
  EXPECT_TRUE(accepts_gzip("*"));
  EXPECT_TRUE(accepts_gzip("gzip;q=0.001"));
}

TEST(AcceptEncoding, ZeroQualityForbids) {
  EXPECT_FALSE(accepts_gzip(""));
  EXPECT_FALSE(accepts_gzip("br, deflate"));
  EXPECT_FALSE(accepts_gzip("gzip;q=0"));
  EXPECT_FALSE(accepts_gzip("gzip; q=0.000, *"));
  EXPECT_FALSE(accepts_gzip("*;q=0"));
  EXPECT_FALSE(accepts_gzip("gzip;q=x"));
}

TEST(MediaType, IsWithoutItsParameters) {
  EXPECT_EQ(media_type_of("application/json; charset=utf-8"), "application/json");
  EXPECT_EQ(media_type_of(" text/plain "), "text/plain");
  EXPECT_EQ(media_type_of(""), "");
}

}  // namespace
}  // namespace sensus::http
