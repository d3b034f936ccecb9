#include "sensus/codec/delta_sums.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace sensus::codec {
namespace {

Timestamp at(int second) { return from_unix_us(std::int64_t{second} * 1'000'000); }

struct Increment {
  std::string series;
  int second;
  double value;
};
model::SampleBatch batch(const std::vector<Increment>& increments) {
  model::SampleBatch out;
  for (const Increment& one : increments) {
    out.append(model::encode_series_key(one.series, {}), at(one.second), one.value);
  }
  return out;
}
std::vector<double> totals(DeltaSums& sums, const std::vector<Increment>& increments) {
  model::SampleBatch out;
  sums.add(batch(increments), out);
  std::vector<double> values;
  for (const auto& row : out.rows()) {
    values.push_back(row.value);
  }
  return values;
}
using Values = std::vector<double>;

TEST(DeltaSums, AddUpPerSeries) {
  DeltaSums sums(10);
  EXPECT_EQ(totals(sums, {{"a", 1, 2}, {"b", 1, 5}, {"a", 2, 3}}), (Values{2, 5, 5}));
  EXPECT_EQ(totals(sums, {{"b", 3, 1}, {"a", 3, 0}}), (Values{6, 5}));
}

TEST(DeltaSums, ARepeatedBodyDoesNotCountTwice) {
  DeltaSums sums(10);
  EXPECT_EQ(totals(sums, {{"a", 1, 2}, {"a", 2, 3}}), (Values{2, 5}));
  model::SampleBatch again;
  const auto added = sums.add(batch({{"a", 1, 2}, {"a", 2, 3}}), again);
  EXPECT_EQ(added.late, 1U);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again.rows()[0].time, at(2));
  EXPECT_EQ(again.rows()[0].value, 5);
  EXPECT_EQ(totals(sums, {{"a", 3, 1}}), (Values{6}));
}

TEST(DeltaSums, StateIsBoundedAndTheLeastRecentGo) {
  DeltaSums sums(4);
  std::size_t forgotten = 0;
  for (int i = 0; i < 100; ++i) {
    model::SampleBatch out;
    // "kept" is touched all the time.
    forgotten +=
        sums.add(batch({{"kept", i + 1, 1}, {"s" + std::to_string(i), 1, 1}}), out).forgotten;
    EXPECT_LE(sums.size(), 4U);
  }
  EXPECT_EQ(forgotten + sums.size(), 101U);
  EXPECT_EQ(totals(sums, {{"kept", 101, 1}}), (Values{101}));
  EXPECT_EQ(totals(sums, {{"s0", 2, 7}}), (Values{7}))
      << "begins again, as a counter after a restart";
}

TEST(DeltaSums, ATotalNeverOverflows) {
  DeltaSums sums(4);
  const double huge = std::numeric_limits<double>::max();
  EXPECT_EQ(totals(sums, {{"a", 1, huge}, {"a", 2, huge}}), (Values{huge, huge}));
}

model::LabelsHash hash_of(const std::string& series) {
  return model::hash_series_key(model::encode_series_key(series, {}));
}

TEST(DeltaSums, GoOnFromWhatIsStored) {
  DeltaSums sums(10);
  sums.seed(hash_of("a"), at(10), 100);
  EXPECT_EQ(totals(sums, {{"a", 10, 5}}), (Values{100})) << "it was counted before the restart";
  EXPECT_EQ(totals(sums, {{"a", 11, 5}}), (Values{105}));
  EXPECT_EQ(totals(sums, {{"a", 9, 5}}), (Values{}));
  sums.seed(hash_of("a"), at(20), 500);
  EXPECT_EQ(totals(sums, {{"a", 12, 1}}), (Values{106})) << "what is known is not seeded again";
  sums.seed(hash_of("b"), at(10), std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(totals(sums, {{"b", 11, 1}}), (Values{1})) << "nothing can be added to that";
}

TEST(DeltaSums, TellWhatIsUnknown) {
  DeltaSums sums(2);
  const model::SampleBatch three = batch({{"a", 1, 1}, {"b", 1, 1}, {"a", 2, 1}, {"c", 1, 1}});
  EXPECT_EQ(sums.unknown(three).size(), 3U);
  sums.seed(hash_of("b"), at(0), 1);
  EXPECT_EQ(sums.unknown(three).size(), 2U);
  totals(sums, {{"a", 1, 1}, {"c", 1, 1}});
  EXPECT_EQ(sums.unknown(batch({{"c", 2, 1}})).size(), 0U);
  EXPECT_EQ(sums.unknown(batch({})).size(), 0U);
}

}  // namespace
}  // namespace sensus::codec
