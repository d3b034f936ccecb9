#include "sensus/core/errc.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace sensus {
namespace {

constexpr int kCount = static_cast<int>(Errc::internal) + 1;

TEST(Errc, EveryCodeHasANameATitleAndAnErrorStatus) {
  std::set<std::string_view> names;
  for (int i = 0; i < kCount; ++i) {
    const ErrcTraits& traits = traits_of(static_cast<Errc>(i));
    EXPECT_TRUE(names.insert(traits.name).second) << traits.name << " is used twice";
    EXPECT_EQ(traits.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << traits.name;
    EXPECT_FALSE(traits.title.empty()) << traits.name;
    EXPECT_GE(traits.http_status, 400) << traits.name;
    EXPECT_LE(traits.http_status, 599) << traits.name;
  }
}

TEST(Errc, WhatARetryMayMendIs503AndNever429) {
  // Alertmanager drops what is answered 429, or any other 4xx.
  for (int i = 0; i < kCount; ++i) {
    const ErrcTraits& traits = traits_of(static_cast<Errc>(i));
    EXPECT_EQ(traits.retryable, traits.http_status == 503) << traits.name;
    EXPECT_NE(traits.http_status, 429) << traits.name;
  }
}

TEST(Errc, StatusesOfTheContract) {
  EXPECT_EQ(traits_of(Errc::invalid_input).http_status, 400);
  EXPECT_EQ(traits_of(Errc::unauthenticated).http_status, 401);
  EXPECT_EQ(traits_of(Errc::forbidden).http_status, 403);
  EXPECT_EQ(traits_of(Errc::not_found).http_status, 404);
  EXPECT_EQ(traits_of(Errc::conflict).http_status, 409);
  EXPECT_EQ(traits_of(Errc::too_large).http_status, 413);
  EXPECT_EQ(traits_of(Errc::unsupported).http_status, 415);
  EXPECT_EQ(traits_of(Errc::in_doubt).http_status, 503);
  EXPECT_EQ(traits_of(Errc::internal).http_status, 500);
  EXPECT_EQ(to_string(Errc::in_doubt), "in_doubt");
}

TEST(ErrcDeathTest, ACodeOutsideTheSetIsABug) { EXPECT_DEATH(static_cast<void>(traits_of(static_cast<Errc>(kCount))), "bug"); }

}  // namespace
}  // namespace sensus
