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

const Timestamp kNow = parse_rfc3339("2026-06-01T12:00:00Z").value();

class FlushBuilderTest : public testing::Test {
 protected:
  void know(std::string_view key, SeriesId id, Timestamp confirmed = kNow) { cache.insert(1, hasher(1, key), id, confirmed); }
  FlushBuilder::Lookups append(FlushBuilder& builder, const model::SampleBatch& batch) {
    return builder.append(batch, cache, refused, kNow);
  }

  SeriesHasher hasher{1, 2};
  SeriesCache cache{10'000, std::chrono::hours{1}};
  SeriesCache refused{10, std::chrono::minutes{1}};
};

TEST_F(FlushBuilderTest, KnownSeriesGetTheirIdAndUnknownOnesAReference) {
  know("known", 42);
  FlushBuilder builder(1, hasher);
  const auto lookups = append(builder, batch({"known", "new-a", "new-b", "new-a"}));
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
  const FlushSeries series = builder.take_series();
  EXPECT_EQ(series.created, (std::vector<SeriesHash>{hasher(1, "new-a"), hasher(1, "new-b")}));
  EXPECT_TRUE(flush.touch.empty());
}

TEST_F(FlushBuilderTest, TheSameNewSeriesOfTwoRequestsIsOne) {
  FlushBuilder builder(1, hasher);
  static_cast<void>(append(builder, batch({"a"})));
  static_cast<void>(append(builder, batch({"a"})));
  EXPECT_EQ(builder.rows(), 2U);
  EXPECT_EQ(builder.take().new_series.size(), 1U);
}

TEST_F(FlushBuilderTest, SamplesOfOneSeriesThatCameTogetherShareItsLookup) {
  know("a", 3);
  model::SampleBatch together;
  together.append("a", from_unix_us(1), 1);
  together.append_again(from_unix_us(2), 2);
  together.append("b", from_unix_us(3), 3);
  together.append_again(from_unix_us(4), 4);
  FlushBuilder builder(1, hasher);
  const auto lookups = append(builder, together);
  EXPECT_EQ(lookups.hits, 2U);
  EXPECT_EQ(lookups.misses, 2U);
  const auto flush = builder.take();
  ASSERT_EQ(flush.rows.size(), 4U);
  EXPECT_EQ(flush.rows[1].series, 3);
  EXPECT_EQ(flush.rows[3].series, -1);
}

TEST_F(FlushBuilderTest, CountsRowsAndNewKeysAsBytes) {
  know("a", 1);
  FlushBuilder builder(1, hasher);
  EXPECT_EQ(builder.bytes(), 0U);
  static_cast<void>(append(builder, batch({"a"})));
  EXPECT_EQ(builder.bytes(), sizeof(storage::SampleRow));
  static_cast<void>(append(builder, batch({"a-new-series"})));
  EXPECT_GE(builder.bytes(), 2 * sizeof(storage::SampleRow) + 24);
}

TEST_F(FlushBuilderTest, RowsOfRefusedSeriesAreLeftOutUnlessTheCacheKnowsThem) {
  refused.insert(1, hasher(1, "refused"), 1, kNow);
  refused.insert(1, hasher(1, "created since"), 1, kNow);
  know("created since", 5);
  FlushBuilder builder(1, hasher);
  const auto lookups = append(builder, batch({"refused", "created since", "new"}));
  EXPECT_EQ(lookups.refused, 1U);
  const auto flush = builder.take();
  ASSERT_EQ(flush.rows.size(), 2U);
  EXPECT_EQ(flush.rows[0].series, 5);
  EXPECT_EQ(flush.new_series, std::vector<std::string>{"new"});
}

TEST_F(FlushBuilderTest, EndsAreNoRowsAndCreateNoSeries) {
  know("a", 3);
  model::SampleBatch ends;
  ends.append_end("a", from_unix_us(5));
  ends.append_end("unknown", from_unix_us(6));
  FlushBuilder builder(1, hasher);
  const auto lookups = append(builder, ends);
  EXPECT_EQ(lookups.hits + lookups.misses + lookups.refused, 0U);
  EXPECT_EQ(builder.rows(), 0U);
  EXPECT_EQ(builder.ends(), 2U);
  EXPECT_GT(builder.bytes(), 2 * sizeof(storage::SeriesEnd)) << "they wait in the queue too";
  EXPECT_TRUE(cache.find(hasher(1, "a"), kNow).ended);
  const auto flush = builder.take();
  EXPECT_TRUE(flush.new_series.empty());
  EXPECT_EQ(flush.ends[0].key, "a");
  EXPECT_EQ(flush.ends[1].time, from_unix_us(6));
  EXPECT_EQ(builder.take_series().ended, (std::vector<SeriesHash>{hasher(1, "a"), hasher(1, "unknown")}));
}

TEST_F(FlushBuilderTest, SamplesOfSeriesThatMayHaveEndedSayHowFarTheyGo) {
  know("known", 3);
  know("ended", 4);
  cache.set_ended(hasher(1, "ended"), true);
  model::SampleBatch samples;
  samples.append("known", from_unix_us(1), 1);
  samples.append("ended", from_unix_us(9), 1);
  samples.append_again(from_unix_us(7), 2);
  samples.append_end("new", from_unix_us(3));
  samples.append("new", from_unix_us(4), 1);
  samples.append("other", from_unix_us(4), 1);
  FlushBuilder builder(1, hasher);
  static_cast<void>(append(builder, samples));
  const auto flush = builder.take();
  ASSERT_EQ(flush.resumed.size(), 2U);
  EXPECT_EQ(flush.resumed[0].series, 4);
  EXPECT_EQ(flush.resumed[0].newest, from_unix_us(9));
  EXPECT_EQ(flush.resumed[1].series, -1) << "it is created here, and ends here before that sample";
  EXPECT_EQ(builder.take_series().resumed, (std::vector<SeriesHash>{hasher(1, "ended"), hasher(1, "new")}));
}

TEST_F(FlushBuilderTest, ListsSeriesWhoseTouchIsDueUpToALimit) {
  model::SampleBatch many;
  for (std::size_t i = 0; i < FlushBuilder::kTouchesMax + 5; ++i) {
    const std::string key = "s" + std::to_string(i);
    know(key, static_cast<SeriesId>(i) + 1, kNow - std::chrono::minutes{30});
    many.append(key, kNow, 1);
  }
  FlushBuilder first(1, hasher);
  static_cast<void>(append(first, many));
  const auto flush = first.take();
  EXPECT_EQ(flush.rows.size(), FlushBuilder::kTouchesMax + 5);
  ASSERT_EQ(flush.touch.size(), FlushBuilder::kTouchesMax);
  EXPECT_EQ(flush.touch[0], 1);
  EXPECT_EQ(first.take_series().touched[0], hasher(1, "s0"));
  FlushBuilder second(1, hasher);
  static_cast<void>(append(second, many));
  EXPECT_EQ(second.take().touch.size(), 5U) << "the others are on their way";
}

}  // namespace
}  // namespace sensus::ingest
