#include "ingest/series_hash_internal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace sensus::ingest {
namespace {

using Set = std::set<std::pair<std::uint64_t, std::uint64_t>>;

TEST(SeriesHash, IsAFunctionOfTenantKeyAndSecrets) {
  const SeriesHasher hasher(7, 11);
  EXPECT_EQ(hasher(1, "cpu"), hasher(1, "cpu"));
  EXPECT_NE(hasher(1, "cpu"), hasher(2, "cpu"));
  EXPECT_NE(hasher(1, "cpu"), SeriesHasher(8, 11)(1, "cpu"));
  EXPECT_NE(hasher(1, "cpu"), SeriesHasher(7, 12)(1, "cpu"));
  EXPECT_NE(SeriesHasher()(1, "cpu"), SeriesHasher()(1, "cpu")) << "the system's secrets differ from process to process";
}

TEST(SeriesHash, KeysThatDifferInOneByteOrInLengthDiffer) {
  const SeriesHasher hasher(123'456'789, 987'654'321);
  Set seen;
  std::size_t keys = 0;
  for (std::size_t size = 0; size <= 90; ++size) {
    seen.emplace(hasher(1, std::string(size, '\0')).a, hasher(1, std::string(size, '\0')).b);
    ++keys;
    for (std::size_t at = 0; at < size; ++at) {
      for (const char byte : {'\1', '\x7f', '\xff'}) {
        std::string key(size, '\0');
        key[at] = byte;
        const SeriesHash hash = hasher(1, key);
        seen.emplace(hash.a, hash.b);
        ++keys;
      }
    }
  }
  EXPECT_EQ(seen.size(), keys);
}

TEST(SeriesHash, BothHalvesAreBelowThePrimeAndSpread) {
  std::mt19937_64 random(1);
  const SeriesHasher hasher(random(), random());
  std::vector<int> buckets(64);
  for (int i = 0; i < 64'000; ++i) {
    const SeriesHash hash = hasher(1, "node_cpu_seconds_total\xff" "instance\xff" + std::to_string(i));
    EXPECT_LT(hash.a, (std::uint64_t{1} << 61) - 1);
    EXPECT_LT(hash.b, (std::uint64_t{1} << 61) - 1);
    ++buckets[SeriesHashBits{}(hash) % 64];
  }
  for (const int count : buckets) {
    EXPECT_NEAR(count, 1000, 200) << "six sigma";
  }
}

TEST(SeriesHash, CountersInKeysDoNotMeetInATableWhateverTheSecret) {
  for (std::uint64_t secret = 1; secret <= 4096; secret *= 2) {
    // A multiple of a power of two makes a progression whose low bits stand still.
    const SeriesHasher hasher(secret * 1024 - 2, 1);
    std::vector<int> buckets(1024);
    for (int i = 0; i < 10; ++i) {
      for (int j = 0; j < 10; ++j) {
        ++buckets[SeriesHashBits{}(hasher(1, "series-" + std::to_string(i) + "-" + std::to_string(j))) % buckets.size()];
      }
    }
    EXPECT_LE(*std::max_element(buckets.begin(), buckets.end()), 6) << secret;
  }
}

TEST(SeriesHash, MatchesThePolynomialOfItsDefinition) {
  // (((first * k + m0) * k + m1) * k + m2) * k + m3, times k, with first = length 2^32 xor tenant and limbs of 7 bytes.
  __extension__ using Wide = unsigned __int128;
  constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
  const std::uint64_t secret = 0x123456789abcdefULL;
  const std::uint64_t k = secret % (kPrime - 2) + 2;
  const std::string key = "0123456789abcdef";
  Wide h = (std::uint64_t{key.size()} << 32) ^ 5U;
  for (std::size_t limb = 0; limb < 4; ++limb) {
    std::uint64_t m = 0;
    for (std::size_t i = 0; i < 7 && limb * 7 + i < key.size(); ++i) {
      m |= static_cast<std::uint64_t>(static_cast<unsigned char>(key[limb * 7 + i])) << (8 * i);
    }
    h = (h * k + m) % kPrime;
  }
  EXPECT_EQ(SeriesHasher(secret, 1)(5, key).a, static_cast<std::uint64_t>(h * k % kPrime));
}

}  // namespace
}  // namespace sensus::ingest
