#include "ingest/flush_builder_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::ingest {
namespace {

model::SampleBatch batch(std::initializer_list<const char*> keys) {
  model::SampleBatch out;
  for (const char* key : keys) {
    out.append(key, from_unix_us(static_cast<std::int64_t>(out.size())), 1.5);
  }
  return out;
}

TEST(FlushBuilder, KnownSeriesGetTheirIdAndUnknownOnesAReference) {
  SeriesCache cache(10);
  cache.insert(1, "known", 42);
  FlushBuilder builder(1);
  const auto lookups = builder.append(batch({"known", "new-a", "new-b", "new-a"}), cache);
  EXPECT_EQ(lookups.hits, 1U);
  EXPECT_EQ(lookups.misses, 3U);
  const auto flush = builder.take();
  ASSERT_EQ(flush.rows.size(), 4U);
  EXPECT_EQ(flush.rows[0].series, 42);
  EXPECT_EQ(flush.rows[1].series, -1);
  EXPECT_EQ(flush.rows[2].series, -2);
  EXPECT_EQ(flush.rows[3].series, -1);
  EXPECT_EQ(flush.rows[3].time, from_unix_us(3));
  EXPECT_EQ(flush.new_series, (std::vector<std::string>{"new-a", "new-b"}));
}

TEST(FlushBuilder, TheSameNewSeriesOfTwoRequestsIsOne) {
  SeriesCache cache(10);
  FlushBuilder builder(1);
  static_cast<void>(builder.append(batch({"a"}), cache));
  static_cast<void>(builder.append(batch({"a"}), cache));
  EXPECT_EQ(builder.rows(), 2U);
  EXPECT_EQ(builder.take().new_series.size(), 1U);
}

TEST(FlushBuilder, CountsRowsAndNewKeysAsBytes) {
  SeriesCache cache(10);
  cache.insert(1, "a", 1);
  FlushBuilder builder(1);
  EXPECT_EQ(builder.bytes(), 0U);
  static_cast<void>(builder.append(batch({"a"}), cache));
  EXPECT_EQ(builder.bytes(), sizeof(storage::SampleRow));
  static_cast<void>(builder.append(batch({"a-new-series"}), cache));
  EXPECT_GE(builder.bytes(), 2 * sizeof(storage::SampleRow) + 24);
}

}  // namespace
}  // namespace sensus::ingest
