#include "ingest/series_cache_internal.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace sensus::ingest {
namespace {

using namespace std::chrono_literals;

const Timestamp kBase = parse_rfc3339("2026-06-01T12:00:00Z").value();
constexpr std::chrono::seconds kIdle = 1h;

SeriesHash hash_of(int i) {
  static const SeriesHasher hasher(42, 43);
  return hasher(1, "series-" + std::to_string(i));
}

class SeriesCacheTest : public testing::Test {
 protected:
  SeriesId find(SeriesCache& cache, int i) { return cache.find(hash_of(i), now).id; }
  bool due(SeriesCache& cache, int i) { return cache.find(hash_of(i), now).touch; }

  Timestamp now = kBase;
};

TEST_F(SeriesCacheTest, FindsWhatWasInserted) {
  SeriesCache cache(10, kIdle);
  EXPECT_EQ(find(cache, 1), 0);
  cache.insert(1, hash_of(1), 7, now);
  EXPECT_EQ(find(cache, 1), 7);
  cache.insert(1, hash_of(1), 8, now);
  EXPECT_EQ(find(cache, 1), 8);
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_EQ(cache.active(1), 1U);
}

TEST_F(SeriesCacheTest, CountsTheSeriesOfEachTenant) {
  SeriesCache cache(10, kIdle);
  cache.insert(1, hash_of(1), 1, now);
  cache.insert(2, hash_of(2), 2, now);
  cache.insert(2, hash_of(3), 3, now);
  EXPECT_EQ(cache.active(1), 1U);
  EXPECT_EQ(cache.active(2), 2U);
  EXPECT_EQ(cache.active(3), 0U);
  cache.forget(hash_of(2), 2);
  EXPECT_EQ(cache.active(2), 1U);
}

TEST_F(SeriesCacheTest, NeverGrowsPastItsLimit) {
  SeriesCache cache(100, kIdle);
  for (int i = 1; i <= 1000; ++i) {
    cache.insert(1, hash_of(i), i, now);
    EXPECT_EQ(find(cache, i), i);
  }
  EXPECT_EQ(cache.size(), 100U);
  EXPECT_EQ(cache.active(1), 100U);
  EXPECT_EQ(cache.evictions(), 900U);
}

TEST_F(SeriesCacheTest, EvictsWhatIsNotUsed) {
  SeriesCache cache(4, kIdle);
  for (int i = 1; i <= 4; ++i) {
    cache.insert(1, hash_of(i), i, now);
  }
  for (int i = 5; i <= 20; ++i) {
    EXPECT_EQ(find(cache, 2), 2) << "used before each insertion, so never the victim";
    cache.insert(1, hash_of(i), i, now);
  }
  EXPECT_EQ(find(cache, 2), 2);
  EXPECT_EQ(find(cache, 1), 0);
}

TEST_F(SeriesCacheTest, EvictionEndsWhenEverythingIsUsed) {
  SeriesCache cache(3, kIdle);
  for (int i = 1; i <= 3; ++i) {
    cache.insert(1, hash_of(i), i, now);
    EXPECT_EQ(find(cache, i), i);
  }
  cache.insert(1, hash_of(4), 4, now);
  EXPECT_EQ(find(cache, 4), 4);
  EXPECT_EQ(cache.size(), 3U);
}

TEST_F(SeriesCacheTest, AnIdIsGivenOutOnlyWhileItsConfirmationIsYoung) {
  SeriesCache cache(10, kIdle);
  cache.insert(1, hash_of(1), 7, now);
  now += kIdle - 1s;
  EXPECT_EQ(find(cache, 1), 7);
  now += 1s;
  EXPECT_EQ(find(cache, 1), 0) << "use does not confirm: only the database does";
  cache.insert(1, hash_of(1), 9, now);
  EXPECT_EQ(find(cache, 1), 9);
}

TEST_F(SeriesCacheTest, IdleIsAtMostWhatTheRuleAllows) {
  SeriesCache cache(10, 48h);
  cache.insert(1, hash_of(1), 7, now);
  now += SeriesCache::kIdleMax;
  EXPECT_EQ(find(cache, 1), 0);
  static_assert(2 * SeriesCache::kIdleMax < SeriesCache::kRemovableAfter);
}

TEST_F(SeriesCacheTest, AClockSetBackFarMakesNothingYounger) {
  SeriesCache cache(10, kIdle);
  cache.insert(1, hash_of(1), 7, now);
  now -= 2h;
  EXPECT_EQ(find(cache, 1), 0);
  EXPECT_EQ(cache.expire(now, 1000), 1U);
}

TEST_F(SeriesCacheTest, TouchIsDueOnceAndAgainAfterItsEnd) {
  SeriesCache cache(10, kIdle);
  cache.insert(1, hash_of(1), 7, now);
  now += SeriesCache::kTouchAfter - 1s;
  EXPECT_FALSE(due(cache, 1));
  now += SeriesCache::kTouchSpread + 1s;
  EXPECT_TRUE(due(cache, 1));
  EXPECT_FALSE(due(cache, 1)) << "it is on its way";
  cache.touch_failed(hash_of(1), 7);
  EXPECT_TRUE(due(cache, 1));
  cache.touched(hash_of(1), 7, now);
  EXPECT_FALSE(due(cache, 1));
  now += kIdle - 1s;
  EXPECT_EQ(find(cache, 1), 7) << "confirmed anew";
}

TEST_F(SeriesCacheTest, ASeriesThatEndedIsSoUntilToldOtherwise) {
  SeriesCache cache(10, kIdle);
  cache.set_ended(hash_of(1), true);
  EXPECT_EQ(cache.size(), 0U) << "what is not known does not come in by its end";
  cache.insert(1, hash_of(1), 7, now);
  EXPECT_FALSE(cache.find(hash_of(1), now).ended);
  cache.set_ended(hash_of(1), true);
  EXPECT_TRUE(cache.find(hash_of(1), now).ended);
  cache.insert(1, hash_of(1), 7, now);
  EXPECT_TRUE(cache.find(hash_of(1), now).ended) << "a confirmation says nothing of it";
  EXPECT_EQ(cache.id_of(hash_of(1)), 7);
  EXPECT_EQ(cache.id_of(hash_of(2)), 0);
  cache.set_ended(hash_of(1), false);
  EXPECT_FALSE(cache.find(hash_of(1), now).ended);
}

TEST_F(SeriesCacheTest, ATouchOfAnotherIdSaysNothing) {
  SeriesCache cache(10, kIdle);
  cache.insert(1, hash_of(1), 7, now);
  cache.forget(hash_of(1), 6);
  EXPECT_EQ(find(cache, 1), 7);
  cache.touched(hash_of(1), 6, now + kIdle);
  cache.touched(hash_of(2), 7, now + kIdle);
  now += kIdle;
  EXPECT_EQ(find(cache, 1), 0);
}

TEST_F(SeriesCacheTest, IdleSeriesLeaveAndTheTableShrinks) {
  SeriesCache cache(100'000, kIdle);
  for (int i = 1; i <= 10'000; ++i) {
    cache.insert(1, hash_of(i), i, now + (i <= 9'900 ? 0s : 10min));
  }
  const std::size_t slots = cache.slots();
  EXPECT_GE(slots, 10'000U);
  now += kIdle;
  std::size_t gone = 0;
  for (int turn = 0; turn < 200; ++turn) {
    gone += cache.expire(now, 1000);
  }
  EXPECT_EQ(gone, 9'900U);
  EXPECT_EQ(cache.expired(), 9'900U);
  EXPECT_EQ(cache.size(), 100U);
  EXPECT_LT(cache.slots(), 2048U);
  for (int i = 9'901; i <= 10'000; ++i) {
    EXPECT_EQ(find(cache, i), i);
  }
}

/// A property: against a map, with random insertions, uses, removals and time.
TEST_F(SeriesCacheTest, AgreesWithAMapInAnyOrderOfSteps) {
  struct Known {
    SeriesId id;
    Timestamp confirmed;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    SeriesCache cache(1'000'000, kIdle);
    std::map<int, Known> model;
    now = kBase;
    for (int step = 0; step < 20'000; ++step) {
      const int key = static_cast<int>(random() % 700);
      const auto known = model.find(key);
      const bool valid = known != model.end() && now - known->second.confirmed < kIdle;
      switch (random() % 8) {
        case 0:
        case 1:
          cache.insert(1, hash_of(key), step + 1, now);
          model[key] = {step + 1, now};
          break;
        case 2:
          if (known != model.end()) {
            cache.forget(hash_of(key), known->second.id);
            model.erase(known);
          }
          break;
        case 3:
          cache.expire(now, random() % 300);
          now += std::chrono::seconds(random() % 60);
          break;
        default: ASSERT_EQ(find(cache, key), valid ? known->second.id : 0) << "seed " << seed << " step " << step;
      }
    }
    std::size_t left = 0;
    for (int turn = 0; turn < 10; ++turn) {
      cache.expire(now, 10'000);
    }
    for (const auto& [key, known] : model) {
      left += now - known.confirmed < kIdle ? 1 : 0;
    }
    EXPECT_EQ(cache.size(), left) << "seed " << seed;
    EXPECT_EQ(cache.active(1), left);
  }
}

}  // namespace
}  // namespace sensus::ingest
