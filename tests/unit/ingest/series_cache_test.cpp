#include "ingest/series_cache_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::ingest {
namespace {

std::string key(int i) { return "series-" + std::to_string(i); }

TEST(SeriesCache, FindsWhatWasInserted) {
  SeriesCache cache(10);
  EXPECT_EQ(cache.find(1, "a"), 0);
  cache.insert(1, "a", 7);
  EXPECT_EQ(cache.find(1, "a"), 7);
  cache.insert(1, "a", 8);
  EXPECT_EQ(cache.find(1, "a"), 8);
  EXPECT_EQ(cache.size(), 1U);
}

TEST(SeriesCache, TenantsDoNotMeet) {
  SeriesCache cache(10);
  cache.insert(1, "a", 7);
  cache.insert(2, "a", 9);
  EXPECT_EQ(cache.find(1, "a"), 7);
  EXPECT_EQ(cache.find(2, "a"), 9);
  EXPECT_EQ(cache.find(3, "a"), 0);
}

TEST(SeriesCache, NeverGrowsPastItsLimit) {
  SeriesCache cache(100);
  for (int i = 1; i <= 1000; ++i) {
    cache.insert(1, key(i), i);
    EXPECT_EQ(cache.find(1, key(i)), i);
  }
  EXPECT_EQ(cache.size(), 100U);
  EXPECT_EQ(cache.evictions(), 900U);
}

TEST(SeriesCache, EvictsWhatIsNotUsed) {
  SeriesCache cache(4);
  for (int i = 1; i <= 4; ++i) {
    cache.insert(1, key(i), i);
  }
  for (int i = 5; i <= 8; ++i) {
    EXPECT_EQ(cache.find(1, key(2)), 2) << "used before each insertion, so never the victim";
    cache.insert(1, key(i), i);
  }
  EXPECT_EQ(cache.find(1, key(2)), 2);
  EXPECT_EQ(cache.find(1, key(1)), 0);
}

TEST(SeriesCache, EvictionEndsWhenEverythingIsUsed) {
  SeriesCache cache(3);
  for (int i = 1; i <= 3; ++i) {
    cache.insert(1, key(i), i);
    EXPECT_EQ(cache.find(1, key(i)), i);
  }
  cache.insert(1, key(4), 4);
  EXPECT_EQ(cache.find(1, key(4)), 4);
  EXPECT_EQ(cache.size(), 3U);
}

}  // namespace
}  // namespace sensus::ingest
