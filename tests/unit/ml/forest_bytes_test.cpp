#include "sensus/ml/isolation_forest.hpp"

#include "bytes_internal.hpp"
#include "series.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace sensus::ml {
namespace {

IsolationForest sample_forest() {
  test::Noise noise(1);
  Matrix data(2);
  for (int i = 0; i < 100; ++i) {
    data.append(std::array<double, 2>{noise.normal(), noise.exponential()});
  }
  return IsolationForest::fit(data, {.trees = 8, .subsample = 32, .seed = 7}).value();
}

struct RawNode {
  float cut_or_path;
  std::uint16_t right;
  std::uint16_t feature;
};

/// A record with a valid checksum around any content.
std::string record(std::uint32_t columns, std::uint32_t subsample, const std::vector<std::uint32_t>& roots,
                   const std::vector<RawNode>& nodes, std::uint32_t magic = 0x31464953) {
  ByteWriter out;
  out.u32(magic);
  out.u32(columns);
  out.u32(subsample);
  out.u32(static_cast<std::uint32_t>(roots.size()));
  out.u32(static_cast<std::uint32_t>(nodes.size()));
  for (const std::uint32_t root : roots) {
    out.u32(root);
  }
  for (const RawNode& node : nodes) {
    out.f32(node.cut_or_path);
    out.u16(node.right);
    out.u16(node.feature);
  }
  return std::move(out).finish();
}

void expect_corrupt(const std::string& bytes) {
  const Result<IsolationForest> forest = IsolationForest::deserialize(bytes);
  ASSERT_FALSE(forest.has_value());
  EXPECT_EQ(forest.error().code, Errc::corrupt);
}

TEST(ForestBytes, RoundTripIsExact) {
  const IsolationForest forest = sample_forest();
  const std::string bytes = forest.serialize();
  const IsolationForest again = IsolationForest::deserialize(bytes).value();
  EXPECT_EQ(again.serialize(), bytes);
  EXPECT_EQ(again.columns(), forest.columns());
  EXPECT_EQ(again.trees(), forest.trees());
  test::Noise noise(2);
  for (int i = 0; i < 200; ++i) {
    const std::array<double, 2> row{5 * noise.normal(), 5 * noise.normal()};
    EXPECT_EQ(again.score(row), forest.score(row));
  }
}

TEST(ForestBytes, AHandMadeTreeGivesItsPathLengths) {
  // x0 < 5 ? (x1 < 2 ? leaf 2 : leaf 2.5) : leaf 1; and a second tree of one leaf.
  const std::string bytes = record(2, 8, {0, 5}, {{5, 4, 0}, {2, 2, 1}, {2, 0, 0}, {2.5F, 0, 0}, {1, 0, 0}, {3, 0, 0}});
  const IsolationForest forest = IsolationForest::deserialize(bytes).value();
  EXPECT_DOUBLE_EQ(forest.path_length(std::array<double, 2>{0, 0}), (2 + 3) / 2.0);
  EXPECT_DOUBLE_EQ(forest.path_length(std::array<double, 2>{4.9, 2}), (2.5 + 3) / 2.0);
  EXPECT_DOUBLE_EQ(forest.path_length(std::array<double, 2>{5, 0}), (1 + 3) / 2.0);
  EXPECT_DOUBLE_EQ(forest.score(std::array<double, 2>{5, 0}), std::exp2(-2 / average_path_length(8)));
}

TEST(ForestBytes, EveryChangedByteIsNoticed) {
  const std::string bytes = sample_forest().serialize();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    EXPECT_FALSE(IsolationForest::deserialize(changed).has_value()) << "byte " << i;
  }
}

TEST(ForestBytes, EveryTruncationIsNoticed) {
  const std::string bytes = sample_forest().serialize();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(IsolationForest::deserialize(std::string_view(bytes).substr(0, size)).has_value()) << size;
  }
  expect_corrupt(bytes + "x");
}

TEST(ForestBytes, ForgedSizesAllocateNothing) {
  ByteWriter out;
  out.u32(0x31464953);
  for (int i = 0; i < 4; ++i) {
    out.u32(0xFFFFFFFF);
  }
  expect_corrupt(std::move(out).finish());
  expect_corrupt(record(0, 8, {0}, {{1, 0, 0}}));
  expect_corrupt(record(2, 1, {0}, {{1, 0, 0}}));
  expect_corrupt(record(2, 8, {}, {}));
  expect_corrupt(record(2, 8, {0, 0}, {{1, 0, 0}}));
  expect_corrupt(record(2, 8, {0}, {{1, 0, 0}}, 0x32464953));
}

TEST(ForestBytes, ForgedTreesAreNotWalked) {
  expect_corrupt(record(2, 8, {0}, {{5, 9, 0}, {1, 0, 0}, {1, 0, 0}}));            // Right child past the end.
  expect_corrupt(record(2, 8, {0}, {{5, 1, 0}, {1, 0, 0}, {1, 0, 0}}));            // Right child is the left one.
  expect_corrupt(record(2, 8, {0}, {{5, 2, 2}, {1, 0, 0}, {1, 0, 0}}));            // No such feature.
  expect_corrupt(record(2, 8, {0}, {{5, 2, 0}, {1, 0, 0}}));                       // A child is missing.
  expect_corrupt(record(2, 8, {0, 2}, {{5, 2, 0}, {1, 0, 0}, {1, 0, 0}}));         // Trees overlap.
  expect_corrupt(record(2, 8, {0}, {{1, 0, 0}, {1, 0, 0}}));                       // A tree without a root.
  expect_corrupt(record(2, 8, {1}, {{1, 0, 0}, {1, 0, 0}}));                       // A root too late.
  expect_corrupt(record(2, 8, {0}, {{-1, 0, 0}}));                                 // Negative path.
  expect_corrupt(record(2, 8, {0}, {{std::numeric_limits<float>::quiet_NaN(), 0, 0}}));
  expect_corrupt(record(2, 8, {0}, {{std::numeric_limits<float>::infinity(), 2, 0}, {1, 0, 0}, {1, 0, 0}}));
}

}  // namespace
}  // namespace sensus::ml
