#include "http/gzip_internal.hpp"

#include "inflate.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sensus::http {
namespace {

TEST(Gzip, WhatIsWorthCompressing) {
  EXPECT_TRUE(is_compressible("application/json"));
  EXPECT_TRUE(is_compressible("application/problem+json"));
  EXPECT_TRUE(is_compressible("text/plain; version=0.0.4; charset=utf-8"));
  EXPECT_TRUE(is_compressible("image/svg+xml"));
  EXPECT_FALSE(is_compressible("image/png"));
  EXPECT_FALSE(is_compressible("application/gzip"));
  EXPECT_FALSE(is_compressible(""));
}

TEST(Gzip, PiecesMakeOneMember) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    text += std::to_string(i * 7919) + ",";
  }
  GzipEncoder encoder;
  ASSERT_TRUE(encoder.ok());
  std::string packed;
  encoder.append(std::string_view(text).substr(0, 1), false, packed);
  encoder.append(std::string_view(text).substr(1, 70'000), false, packed);
  encoder.append(std::string_view(text).substr(70'001), true, packed);
  EXPECT_LT(packed.size(), text.size());
  EXPECT_EQ(test::inflate(packed), text);
}

TEST(Gzip, AnEmptyBodyIsAValidMember) {
  GzipEncoder encoder;
  std::string packed;
  encoder.append("", true, packed);
  EXPECT_EQ(test::inflate(packed), "");
}

}  // namespace
}  // namespace sensus::http
