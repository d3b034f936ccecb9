#include "detector_cache_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

using Place = DetectorCache::Place;
constexpr DetectorCache::TimePoint kStart{};

std::unique_ptr<SeriesScorer> scorer() { return std::make_unique<SeriesScorer>(SeriesKind::values, ml::make_detector({})); }

DetectorCache::TimePoint after(std::chrono::minutes by) { return kStart + by; }

TEST(DetectorCache, APlaceIsEmptyUntilADetectorIsGivenBack) {
  DetectorCache cache(4);
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::empty);
  EXPECT_EQ(cache.lend({1, 7}), nullptr);
  cache.give_back({1, 7}, scorer());
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::warm);
  EXPECT_NE(cache.lend({1, 7}), nullptr);
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::empty);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(DetectorCache, SameSeriesOfAnotherTenantIsAnother) {
  DetectorCache cache(4);
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::empty);
  cache.give_back({1, 7}, scorer());
  EXPECT_EQ(cache.admit({2, 7}, kStart), Place::empty);
  EXPECT_EQ(cache.size(), 2U);
}

TEST(DetectorCache, AFullCacheRefusesWhileAllAreInUse) {
  DetectorCache cache(2);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 3}, after(std::chrono::minutes{14})), Place::refused);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(cache.evictions(), 0U);
}

TEST(DetectorCache, AFullCacheEvictsTheLeastRecentlyUsedOfTheIdle) {
  DetectorCache cache(2);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, kStart), Place::empty);
  cache.give_back({1, 1}, scorer());
  cache.give_back({1, 2}, scorer());
  EXPECT_EQ(cache.admit({1, 1}, after(std::chrono::minutes{1})), Place::warm);
  EXPECT_EQ(cache.admit({1, 3}, after(DetectorCache::kIdle)), Place::empty);
  EXPECT_EQ(cache.evictions(), 1U);
  EXPECT_EQ(cache.lend({1, 2}), nullptr);
  EXPECT_NE(cache.lend({1, 1}), nullptr);
}

TEST(DetectorCache, ADetectorOfAnEvictedSeriesIsDropped) {
  DetectorCache cache(1);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::empty);
  EXPECT_EQ(cache.admit({1, 2}, after(DetectorCache::kIdle)), Place::empty);
  cache.give_back({1, 1}, scorer());
  EXPECT_EQ(cache.lend({1, 1}), nullptr);
  EXPECT_EQ(cache.keys(), (std::vector<SeriesKey>{{1, 2}}));
}

TEST(DetectorCache, KnowsHowFarTheSavedStateOfASeriesReaches) {
  DetectorCache cache(4);
  const Timestamp noon = from_unix_us(1'763'640'000'000'000);
  EXPECT_EQ(cache.saved_time({1, 7}), Timestamp::min());
  cache.mark_saved({1, 7}, noon);
  EXPECT_EQ(cache.saved_time({1, 7}), Timestamp::min()) << "it has no place";
  EXPECT_EQ(cache.admit({1, 7}, kStart), Place::empty);
  EXPECT_EQ(cache.peek({1, 7}), nullptr);
  cache.mark_saved({1, 7}, noon);
  cache.mark_saved({1, 7}, noon - std::chrono::hours{1});
  EXPECT_EQ(cache.saved_time({1, 7}), noon);
  cache.give_back({1, 7}, scorer());
  EXPECT_NE(cache.peek({1, 7}), nullptr);
}

TEST(DetectorCache, OfNoPlacesRefusesAll) {
  DetectorCache cache(0);
  EXPECT_EQ(cache.admit({1, 1}, kStart), Place::refused);
}

}  // namespace
}  // namespace sensus::analysis
