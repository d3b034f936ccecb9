#include "detector_cache_internal.hpp"

#include "anomaly_fixture.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

using Place = DetectorCache::Place;
using ml::Profile;

constexpr std::size_t kKiB = 1024;

DetectorCache of_series(std::size_t series) { return DetectorCache({series, 1024 * kKiB, Profile::standard}); }
/// With room for that many standard detectors.
DetectorCache of_standard(std::size_t detectors) {
  return DetectorCache({1000, detectors * (ml::memory_of(Profile::standard) + sizeof(SeriesScorer)), Profile::standard});
}

constexpr DetectorCache::TimePoint kStart{};

std::unique_ptr<SeriesScorer> scorer() { return std::make_unique<SeriesScorer>(SeriesKind::values, ml::make_detector({})); }

DetectorCache::TimePoint after(std::chrono::minutes by) { return kStart + by; }

TEST(DetectorCache, APlaceIsEmptyUntilADetectorIsGivenBack) {
  DetectorCache cache = of_series(4);
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::empty);
  EXPECT_EQ(cache.lend({1, 7}), nullptr);
  cache.give_back({1, 7}, Profile::standard, scorer());
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::warm);
  EXPECT_NE(cache.lend({1, 7}), nullptr);
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::empty);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(DetectorCache, SameSeriesOfAnotherTenantIsAnother) {
  DetectorCache cache = of_series(4);
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::empty);
  cache.give_back({1, 7}, Profile::standard, scorer());
  EXPECT_EQ(cache.admit({2, 7}, kStart), Place::empty);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(DetectorCache, AFullCacheRefusesWhileAllAreInUse) {
  DetectorCache cache = of_series(2);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 3}, after(std::chrono::minutes{14})), Place::no_series_left);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(cache.evictions(), 0U);
}

TEST(DetectorCache, AFullCacheEvictsTheLeastRecentlyUsedOfTheIdle) {
  DetectorCache cache = of_series(2);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, kStart), Place::empty);
  cache.give_back({1, 1}, Profile::standard, scorer());
  cache.give_back({1, 2}, Profile::standard, scorer());
  EXPECT_EQ(cache.admit({1, 1}, after(std::chrono::minutes{1})), Place::warm);
  EXPECT_EQ(cache.admit({1, 3}, after(DetectorCache::kIdle)), Place::empty);
  EXPECT_EQ(cache.evictions(), 1U);
  EXPECT_EQ(cache.lend({1, 2}), nullptr);
  EXPECT_NE(cache.lend({1, 1}), nullptr);
}

TEST(DetectorCache, ADetectorOfAnEvictedSeriesIsDropped) {
  DetectorCache cache = of_series(1);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, after(DetectorCache::kIdle)), Place::empty);
  cache.give_back({1, 1}, Profile::standard, scorer());
  EXPECT_EQ(cache.lend({1, 1}), nullptr);
  EXPECT_EQ(cache.keys(), (std::vector<SeriesKey>{{1, 2}}));
}

TEST(DetectorCache, KnowsHowFarTheSavedStateOfASeriesReaches) {
  DetectorCache cache = of_series(4);
  const Timestamp noon = from_unix_us(1'763'640'000'000'000);
  EXPECT_EQ(cache.saved_time({1, 7}), Timestamp::min());
  cache.mark_saved({1, 7}, noon);
  EXPECT_EQ(cache.saved_time({1, 7}), Timestamp::min()) << "it has no place";
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::empty);
  EXPECT_EQ(cache.peek({1, 7}), nullptr);
  cache.mark_saved({1, 7}, noon);
  cache.mark_saved({1, 7}, noon - std::chrono::hours{1});
  EXPECT_EQ(cache.saved_time({1, 7}), noon);
  cache.give_back({1, 7}, Profile::standard, scorer());
  EXPECT_NE(cache.peek({1, 7}), nullptr);
}

TEST(DetectorCache, OfNoPlacesRefusesAll) {
  DetectorCache cache = of_series(0);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::no_series_left);
}

TEST(DetectorCache, WhatIsEvictedIsHandedOverToBeSaved) {
  DetectorCache cache = of_series(1);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  cache.give_back({1, 1}, Profile::standard, scorer());
  EXPECT_TRUE(cache.take_evicted().empty());
  EXPECT_EQ(cache.admit({1, 2}, after(DetectorCache::kIdle)), Place::empty);
  const auto evicted = cache.take_evicted();
  ASSERT_EQ(evicted.size(), 1U);
  EXPECT_EQ(evicted.front().key, (SeriesKey{1, 1}));
  EXPECT_NE(evicted.front().scorer, nullptr);
  EXPECT_TRUE(cache.take_evicted().empty());
}

TEST(DetectorCache, WhereMemoryIsShortTheIdleGoFirst) {
  DetectorCache cache = of_standard(2);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, after(std::chrono::minutes{10})), Place::empty);
  EXPECT_EQ(cache.admit({1, 3}, after(DetectorCache::kIdle)), Place::empty);
  EXPECT_EQ(cache.evictions(), 1U);
  EXPECT_EQ(cache.profile_of({1, 3}), Profile::standard);
  EXPECT_EQ(cache.size(Profile::compact), 0U);
}

TEST(DetectorCache, ThenTheLeastRecentlyUsedBecomeCompact) {
  DetectorCache cache = of_standard(2);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, kStart), Place::empty);
  cache.give_back({1, 1}, Profile::standard, scorer());
  cache.give_back({1, 2}, Profile::standard, scorer());
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::warm) << "so 2 is the one used longest ago";
  EXPECT_EQ(cache.admit({1, 3}, kStart), Place::empty);
  EXPECT_EQ(cache.profile_of({1, 3}), Profile::compact);
  EXPECT_EQ(cache.profile_of({1, 2}), Profile::compact);
  EXPECT_EQ(cache.peek({1, 2}), nullptr) << "to be learned anew, as such";
  EXPECT_EQ(cache.profile_of({1, 1}), Profile::standard);
  EXPECT_NE(cache.peek({1, 1}), nullptr);
  EXPECT_EQ(cache.shrunk(), 1U);
}

TEST(DetectorCache, NeverGoesBeyondItsBudget) {
  const std::size_t budget = 300 * kKiB;
  DetectorCache cache({10'000, budget, Profile::standard});
  std::size_t refused = 0;
  for (SeriesId id = 1; id <= 200; ++id) {
    refused += cache.admit({1, id}, kStart) == Place::no_memory_left ? 1 : 0;
    ASSERT_LE(cache.bytes(), budget);
  }
  EXPECT_EQ(cache.size() + refused, 200U);
  EXPECT_EQ(cache.size(Profile::standard), 0U);
  EXPECT_GE(cache.size(), 35U) << "8 KiB each";
  EXPECT_EQ(cache.admit({1, 500}, after(DetectorCache::kIdle)), Place::empty) << "the idle go for it";
}

TEST(DetectorCache, ADetectorThatComesBackToAPlaceOfAnotherProfileIsDropped) {
  DetectorCache cache = of_standard(1);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, kStart), Place::empty);
  cache.give_back({1, 1}, Profile::standard, scorer());
  EXPECT_EQ(cache.peek({1, 1}), nullptr);
  cache.clear(Profile::thorough);
  EXPECT_EQ(cache.bytes(), 0U);
  EXPECT_EQ(cache.size(), 0U);
}

TEST(DetectorMemory, AFullGrownDetectorTakesNoMoreThanItIsReckonedTo) {
  for (const Profile profile : {Profile::compact, Profile::standard, Profile::thorough}) {
    ml::DetectorParams params;
    params.profile = profile;
    const auto detector = ml::make_detector(params);
    for (std::size_t i = 0; i < 8000; ++i) {
      detector->update(test::minute(i), test::healthy(i, 3) + static_cast<double>(i % 1440) / 10);
    }
    EXPECT_LE(detector->memory_bytes(), ml::memory_of(profile)) << ml::name_of(profile);
    EXPECT_GE(detector->memory_bytes(), ml::memory_of(profile) / 2) << ml::name_of(profile);
  }
}

}  // namespace
}  // namespace sensus::analysis
