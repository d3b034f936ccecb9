#include "storage/sample_layout_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::storage {
namespace {

const Timestamp kMidnight = parse_rfc3339("2026-11-20T00:00:00Z").value();

std::size_t rows_of(const std::vector<SampleRow>& samples) {
  return encode_samples(kDefaultTenant, samples).rows.rows();
}

TEST(SampleLayout, ARowForEachBucketAndDay) {
  EXPECT_EQ(rows_of({}), 0U);
  EXPECT_EQ(rows_of({{1, kMidnight, 1}}), 1U);
  EXPECT_EQ(rows_of({{1, kMidnight, 1}, {1 + kBuckets, kMidnight, 1}}), 1U)
      << "series of one bucket share rows";
  EXPECT_EQ(rows_of({{1, kMidnight, 1}, {2, kMidnight, 1}}), 2U);
  EXPECT_EQ(rows_of({{1, kMidnight, 1}, {1, kMidnight - 1us, 1}}), 2U) << "a row never spans a day";
  EXPECT_EQ(rows_of({{1, from_unix_us(-1), 1}, {1, from_unix_us(0), 1}}), 2U) << "also before 1970";
}

TEST(SampleLayout, ARowIsFullAtItsLimit) {
  std::vector<SampleRow> samples;
  for (std::size_t i = 0; i < kSamplesPerRow; ++i) {
    samples.push_back({1, kMidnight + std::chrono::seconds(i), 1});
  }
  EXPECT_EQ(rows_of(samples), 1U);
  samples.push_back({1, kMidnight + 86'000s, 1});
  EXPECT_EQ(rows_of(samples), 2U);
}

TEST(SampleLayout, TheLastOfEqualTimesWins) {
  const auto twice = encode_samples(kDefaultTenant,
                                    {{1, kMidnight, 7}, {1, kMidnight + 1s, 5}, {1, kMidnight, 8}});
  const auto once = encode_samples(kDefaultTenant, {{1, kMidnight, 8}, {1, kMidnight + 1s, 5}});
  EXPECT_EQ(twice.rows.data(), once.rows.data());
}

TEST(SampleLayout, SamplesOfASeriesStandSideBySideAndAscending) {
  const SeriesId other = 1 + kBuckets;
  const auto mixed = encode_samples(kDefaultTenant, {{other, kMidnight, 1}, {1, kMidnight + 2s, 4}, {other, kMidnight + 1s, 2},
                                                     {1, kMidnight, 3}});
  const auto sorted = encode_samples(kDefaultTenant, {{1, kMidnight, 3}, {1, kMidnight + 2s, 4}, {other, kMidnight, 1},
                                                      {other, kMidnight + 1s, 2}});
  EXPECT_EQ(mixed.rows.rows(), 1U);
  EXPECT_EQ(mixed.rows.data(), sorted.rows.data()) << "readers take a series' samples out as one slice";
}

}  // namespace
}  // namespace sensus::storage
