#include "sensus/ml/isolation_forest.hpp"

#include "series.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace sensus::ml {
namespace {

using test::Noise;

Matrix gaussian(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Noise noise(seed);
  Matrix data(columns);
  std::vector<double> row(columns);
  for (std::size_t i = 0; i < rows; ++i) {
    std::ranges::generate(row, [&] { return noise.normal(); });
    data.append(row);
  }
  return data;
}

IsolationForest fitted(const Matrix& data, ForestParams params = {}) {
  Result<IsolationForest> forest = IsolationForest::fit(data, params);
  EXPECT_TRUE(forest.has_value());
  return std::move(forest).value();
}

TEST(AveragePathLength, HasThePapersValues) {
  EXPECT_EQ(average_path_length(0), 0);
  EXPECT_EQ(average_path_length(1), 0);
  EXPECT_EQ(average_path_length(2), 1);
  EXPECT_NEAR(average_path_length(3), 2 * (std::log(2) + 0.5772156649) - 4.0 / 3, 1e-12);
  EXPECT_NEAR(average_path_length(256), 10.2448, 1e-4);
  for (std::size_t n = 2; n < 300; ++n) {
    EXPECT_LT(average_path_length(n), average_path_length(n + 1));
  }
}

TEST(IsolationForest, ScoresLieBetweenZeroAndOne) {
  const Matrix data = gaussian(500, 3, 1);
  const IsolationForest forest = fitted(data);
  for (std::size_t i = 0; i < data.rows(); ++i) {
    EXPECT_GT(forest.score(data.row(i)), 0);
    EXPECT_LT(forest.score(data.row(i)), 1);
  }
  const std::array<double, 3> far{1e308, -1e308, 1e308};
  EXPECT_GT(forest.score(far), 0.6);
  EXPECT_LT(forest.score(far), 1);
}

TEST(IsolationForest, AnIsolatedPointScoresHigherThanEveryInlier) {
  Matrix data = gaussian(300, 2, 2);
  const std::array<double, 2> isolated{15, -15};
  data.append(isolated);
  const IsolationForest forest = fitted(data);
  double highest_inlier = 0;
  for (std::size_t i = 0; i + 1 < data.rows(); ++i) {
    highest_inlier = std::max(highest_inlier, forest.score(data.row(i)));
  }
  EXPECT_GT(forest.score(isolated), highest_inlier);
  EXPECT_GT(forest.score(isolated), 0.7);
}

TEST(IsolationForest, OrdinaryPointsScoreAroundOneHalf) {
  const Matrix data = gaussian(1000, 2, 3);
  const IsolationForest forest = fitted(data);
  double sum = 0;
  for (std::size_t i = 0; i < data.rows(); ++i) {
    sum += forest.score(data.row(i)) / static_cast<double>(data.rows());
  }
  EXPECT_GT(sum, 0.4);
  EXPECT_LT(sum, 0.55);
}

TEST(IsolationForest, ScoreIsTwoToTheMinusPathOverNormalizer) {
  const Matrix data = gaussian(200, 2, 4);
  const IsolationForest forest = fitted(data, {.trees = 10, .subsample = 64, .seed = 9});
  const auto row = data.row(7);
  EXPECT_DOUBLE_EQ(forest.score(row), std::exp2(-forest.path_length(row) / average_path_length(64)));
}

TEST(IsolationForest, PathLengthsOfTwoPointsAreExact) {
  // Two rows: one cut, height limit 1, so every tree isolates both at depth 1 = c(2), and the score is one half.
  Matrix data(1);
  for (const double value : {0.0, 1.0}) {
    data.append(std::span(&value, 1));
  }
  const IsolationForest forest = fitted(data, {.trees = 25, .subsample = 256, .seed = 3});
  EXPECT_EQ(forest.subsample(), 2U);
  for (const double value : {-5.0, 0.0, 1.0, 9.0}) {
    EXPECT_DOUBLE_EQ(forest.path_length(std::span(&value, 1)), 1);
    EXPECT_DOUBLE_EQ(forest.score(std::span(&value, 1)), 0.5);
  }
}

TEST(IsolationForest, PathsOfDuplicatesEndAtTheLeafThatHoldsThem) {
  // Seven equal rows and one other: the one cut that exists parts them at depth 1; the seven cannot be cut further: 1 + c(7).
  Matrix data(1);
  for (const double value : {4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 10.0}) {
    data.append(std::span(&value, 1));
  }
  const IsolationForest forest = fitted(data, {.trees = 20, .subsample = 8, .seed = 5});
  const double many = 4;
  const double one = 10;
  EXPECT_NEAR(forest.path_length(std::span(&many, 1)), 1 + average_path_length(7), 1e-6);
  EXPECT_NEAR(forest.path_length(std::span(&one, 1)), 1, 1e-6);
}

TEST(IsolationForest, HeightIsLimitedToCeilLog2OfTheSubsample) {
  // Values that double: cuts peel one row at a time from the top, so without the limit paths would reach the row count.
  Matrix data(1);
  for (int i = 0; i < 64; ++i) {
    const double value = std::ldexp(1.0, i);
    data.append(std::span(&value, 1));
  }
  const IsolationForest forest = fitted(data, {.trees = 50, .subsample = 64, .seed = 6});
  const double lowest = 1;
  // At most depth 6 plus c of what can be left there.
  EXPECT_LE(forest.path_length(std::span(&lowest, 1)), 6 + average_path_length(58) + 1e-6);
  EXPECT_GT(forest.path_length(std::span(&lowest, 1)), 6);
}

TEST(IsolationForest, ConstantDataIsOneLeafATreeAndScoresOneHalf) {
  Matrix data(2);
  const std::array<double, 2> row{3, 3};
  for (int i = 0; i < 100; ++i) {
    data.append(row);
  }
  const IsolationForest forest = fitted(data, {.trees = 10, .subsample = 32, .seed = 1});
  EXPECT_NEAR(forest.score(row), 0.5, 1e-6);
  const std::array<double, 2> other{1000, -1000};
  EXPECT_NEAR(forest.score(other), 0.5, 1e-6);
}

TEST(IsolationForest, AConstantColumnDoesNotHideTheOther) {
  Noise noise(8);
  Matrix data(2);
  for (int i = 0; i < 200; ++i) {
    data.append(std::array<double, 2>{7, noise.normal()});
  }
  const IsolationForest forest = fitted(data);
  EXPECT_GT(forest.score(std::array<double, 2>{7, 12}), forest.score(std::array<double, 2>{7, 0}) + 0.15);
}

TEST(IsolationForest, SubsampleLargerThanTheRowsTakesThemAll) {
  const Matrix data = gaussian(40, 2, 10);
  const IsolationForest forest = fitted(data, {.trees = 30, .subsample = 256, .seed = 2});
  EXPECT_EQ(forest.subsample(), 40U);
  EXPECT_GT(forest.score(std::array<double, 2>{20, 20}), 0.6);
}

TEST(IsolationForest, SubsamplesAreWithoutReplacement) {
  // All rows are in every tree, so the two lone rows are isolated in each; with replacement about a third of the trees would miss one.
  Matrix data(1);
  for (const double value : {0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 100.0, -100.0}) {
    data.append(std::span(&value, 1));
  }
  const IsolationForest forest = fitted(data, {.trees = 100, .subsample = 8, .seed = 4});
  for (const double value : {100.0, -100.0}) {
    EXPECT_LE(forest.path_length(std::span(&value, 1)), 2);
  }
}

TEST(IsolationForest, SameSeedSameForestOtherSeedAnother) {
  const Matrix data = gaussian(300, 3, 11);
  const std::string a = fitted(data, {.trees = 20, .subsample = 64, .seed = 42}).serialize();
  EXPECT_EQ(a, fitted(data, {.trees = 20, .subsample = 64, .seed = 42}).serialize());
  EXPECT_NE(a, fitted(data, {.trees = 20, .subsample = 64, .seed = 43}).serialize());
}

TEST(IsolationForest, TakesValuesThatAFloatCannotTellApart) {
  Matrix data(1);
  for (int i = 0; i < 50; ++i) {
    const double value = 1e9 + i * 1e-3;
    data.append(std::span(&value, 1));
  }
  const double inside = 1e9;
  const double outside = 1e300;
  const IsolationForest forest = fitted(data);
  EXPECT_NEAR(forest.score(std::span(&inside, 1)), 0.5, 1e-6);
  EXPECT_GT(forest.score(std::span(&outside, 1)), 0);
}

TEST(IsolationForest, WideRowsWork) {
  const Matrix data = gaussian(100, 40, 12);
  const IsolationForest forest = fitted(data);
  const std::vector<double> far(40, 30.0);
  EXPECT_GT(forest.score(far), forest.score(data.row(0)));
}

TEST(IsolationForest, SeparatesUniformOutliersFromAGaussian) {
  Noise noise(13);
  Matrix data(3);
  std::vector<bool> is_outlier;
  for (int i = 0; i < 1000; ++i) {
    const bool outlier = i % 20 == 0;
    std::array<double, 3> row{};
    std::ranges::generate(row, [&] { return outlier ? 20 * noise.uniform() - 10 : noise.normal(); });
    data.append(row);
    is_outlier.push_back(outlier);
  }
  const IsolationForest forest = fitted(data);
  // AUC: the chance that a random outlier scores above a random inlier.
  double wins = 0;
  double pairs = 0;
  for (std::size_t i = 0; i < data.rows(); ++i) {
    for (std::size_t j = 0; is_outlier[i] && j < data.rows(); ++j) {
      if (!is_outlier[j]) {
        wins += forest.score(data.row(i)) > forest.score(data.row(j)) ? 1 : 0;
        pairs += 1;
      }
    }
  }
  EXPECT_GT(wins / pairs, 0.95);
}

TEST(IsolationForest, RefusesWhatItCannotLearnFrom) {
  const double good = 1;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  Matrix one_row(1);
  one_row.append(std::span(&good, 1));
  EXPECT_EQ(IsolationForest::fit(one_row, {}).error().code, Errc::invalid_input);
  for (const double bad : {nan, infinite, -infinite}) {
    Matrix data(1);
    data.append(std::span(&good, 1));
    data.append(std::span(&bad, 1));
    EXPECT_EQ(IsolationForest::fit(data, {}).error().code, Errc::invalid_input);
  }
  const Matrix data = gaussian(10, 1, 1);
  EXPECT_EQ(IsolationForest::fit(data, {.trees = 0}).error().code, Errc::invalid_input);
  EXPECT_EQ(IsolationForest::fit(data, {.trees = 4097}).error().code, Errc::invalid_input);
  EXPECT_EQ(IsolationForest::fit(data, {.subsample = 1}).error().code, Errc::invalid_input);
  EXPECT_EQ(IsolationForest::fit(data, {.subsample = 16'385}).error().code, Errc::invalid_input);
  EXPECT_EQ(IsolationForest::fit(Matrix(0), {}).error().code, Errc::invalid_input);
}

TEST(IsolationForest, MemoryIsEightBytesANode) {
  const Matrix data = gaussian(1000, 5, 14);
  const IsolationForest forest = fitted(data, {.trees = 50, .subsample = 64, .seed = 1});
  EXPECT_LT(forest.memory_bytes(), 50U * (2 * 64 - 1) * 8 + 50 * 4 + sizeof(IsolationForest));
}

}  // namespace
}  // namespace sensus::ml
