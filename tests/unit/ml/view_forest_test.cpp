#include "view_forest_internal.hpp"

#include "series.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sensus::ml {
namespace {

using test::Noise;

TEST(Code16, SortsAsTheNumbersAndComesBackClose) {
  Noise noise(1);
  float last = -70000;
  for (int i = 0; i < 20000; ++i) {
    const auto a = static_cast<float>(noise.normal() * std::pow(10, 4 * noise.uniform() - 2));
    const auto b = static_cast<float>(noise.normal() * std::pow(10, 4 * noise.uniform() - 2));
    if (a < b) {
      ASSERT_LE(encode16(a), encode16(b));
    }
    ASSERT_NEAR(decode16(encode16(a)), a, std::abs(a) / 2048 + 1e-7F);
    last = a;
  }
  EXPECT_GT(last, -70000);
  EXPECT_EQ(decode16(encode16(0)), 0);
  EXPECT_EQ(encode16(-1e30F), encode16(-65504));
  EXPECT_EQ(decode16(encode16(1e30F)), 65504);
}

std::vector<CodeRow> normal_rows(std::size_t size) {
  Noise noise(2);
  std::vector<CodeRow> rows(size);
  for (CodeRow& row : rows) {
    for (Code16& code : row) {
      code = encode16(static_cast<float>(noise.normal()));
    }
  }
  return rows;
}

CodeRow all(float value) {
  CodeRow row;
  row.fill(encode16(value));
  return row;
}

TEST(ViewForest, WhatIsFarIsolatesSooner) {
  const std::vector<CodeRow> rows = normal_rows(512);
  Random random(1);
  const View& view = kViewList[0];
  ViewForest forest;
  for (int i = 0; i < 30; ++i) {
    forest.rebuild_next(view, rows, {}, random);
  }
  EXPECT_EQ(forest.trees(), 12U);
  EXPECT_GT(forest.score(view, all(8)), forest.score(view, all(2)) + 0.05);
  EXPECT_GT(forest.score(view, all(-8)), forest.score(view, all(0)) + 0.2);
  EXPECT_NEAR(forest.score(view, all(0)), 0.4, 0.1);
}

/// The same rows and random choices give the same paths in both forms, but for their rounding.
TEST(StepForest, IsTheTreeOfOneColumnInSteps) {
  const std::vector<CodeRow> rows = normal_rows(512);
  for (const std::size_t subsample : {2UL, 32UL, 128UL, 256UL}) {
    Random random(7);
    Random again(7);
    const View& view = kViewList[1];
    ViewForest trees;
    StepForest steps;
    for (int i = 0; i < 30; ++i) {
      trees.rebuild_next(view, rows, {.subsample = subsample}, random);
      steps.rebuild_next(view, rows, {.subsample = subsample}, again);
      for (float x = -6; x < 6; x += 0.37F) {
        ASSERT_NEAR(steps.path_length(all(x)[1]), trees.path_length(view, all(x)), 0.04)
            << subsample << " " << x;
      }
    }
    EXPECT_LT(2 * steps.memory_bytes(), trees.memory_bytes() + 200);
  }
}

TEST(StepForest, ReadRefusesCutsOutOfOrder) {
  const std::vector<CodeRow> rows = normal_rows(200);
  Random random(1);
  StepForest forest;
  for (int i = 0; i < 12; ++i) {
    forest.rebuild_next(kViewList[1], rows, {}, random);
  }
  ByteWriter out;
  forest.write(out);
  const std::string bytes = std::move(out).finish();
  const auto reads = [](std::string record) {
    ByteWriter again;
    again.text(record);
    const std::string whole = std::move(again).finish();
    ByteReader in(whole);
    StepForest read;
    return read.read(in, 12) && in.at_end();
  };
  const std::string body = bytes.substr(0, bytes.size() - 8);
  EXPECT_TRUE(reads(body));
  const std::size_t cuts = 4 + 2 + 2 + 2 + 24;
  std::string changed = body;
  std::swap(changed[cuts], changed[cuts + 6]);
  std::swap(changed[cuts + 1], changed[cuts + 7]);
  EXPECT_FALSE(reads(changed));
  changed = body;
  changed[10] = 9;  // The first tree does not begin at the front.
  EXPECT_FALSE(reads(changed));
  EXPECT_FALSE(reads(body.substr(0, body.size() - 1)));
}

TEST(ViewForest, RowsThatAreAllAlikeGiveOneHalf) {
  const std::vector<CodeRow> rows(200, all(3));
  Random random(1);
  ViewForest forest;
  StepForest steps;
  for (int i = 0; i < 12; ++i) {
    forest.rebuild_next(kViewList[0], rows, {}, random);
    steps.rebuild_next(kViewList[4], rows, {}, random);
  }
  EXPECT_NEAR(forest.score(kViewList[0], all(3)), 0.5, 1e-4);
  EXPECT_NEAR(steps.score(all(3)[4]), 0.5, 1e-3);
}

TEST(ViewForest, ReadRefusesTreesThatAreNot) {
  const std::vector<CodeRow> rows = normal_rows(100);
  Random random(1);
  ViewForest forest;
  for (int i = 0; i < 12; ++i) {
    forest.rebuild_next(kViewList[0], rows, {}, random);
  }
  ByteWriter out;
  forest.write(out);
  const std::string bytes = std::move(out).finish();
  const auto reads = [](const std::string& record, std::size_t trees, std::size_t features) {
    ByteReader in(record);
    ViewForest read;
    return in.ok() && read.read(in, trees, features) && in.at_end();
  };
  EXPECT_TRUE(reads(bytes, 12, 4));
  EXPECT_FALSE(reads(bytes, 11, 4));
  EXPECT_FALSE(reads(bytes, 12, 2));
  std::size_t refused = 0;
  for (std::size_t i = 10; i + 8 < bytes.size(); i += 2) {
    std::string changed = bytes.substr(0, bytes.size() - 8);
    changed[i] = static_cast<char>(changed[i] + 4);
    ByteWriter again;
    again.text(changed);
    refused += reads(std::move(again).finish(), 12, 4) ? 0U : 1U;
  }
  EXPECT_GT(refused, bytes.size() / 8);  // Links; cuts may be anything.
}

TEST(Reservoir, FillsThenLeansToTheRecent) {
  Random random(1);
  Reservoir reservoir(64);
  for (int i = 0; i < 10000; ++i) {
    reservoir.offer(all(static_cast<float>(i)), 0.05, random);
  }
  ASSERT_EQ(reservoir.rows().size(), 64U);
  double mean = 0;
  for (const CodeRow& row : reservoir.rows()) {
    mean += static_cast<double>(decode16(row[0])) / 64;
  }
  EXPECT_NEAR(mean, 10000 - 64 / 0.05, 600);
}

}  // namespace
}  // namespace sensus::ml
