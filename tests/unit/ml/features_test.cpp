#include "features_internal.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sensus::ml {
namespace {

std::vector<double> contents(const Ring& ring) {
  std::vector<double> out;
  ring.copy(0, ring.size(), out);
  return out;
}

TEST(Ring, KeepsTheNewestInOrder) {
  Ring ring(3);
  ring.push(1);
  ring.push(2);
  EXPECT_EQ(contents(ring), (std::vector<double>{1, 2}));
  ring.push(3);
  ring.push(4);
  ring.push(5);
  EXPECT_EQ(contents(ring), (std::vector<double>{3, 4, 5}));
  EXPECT_EQ(ring[0], 3);
  EXPECT_EQ(ring[2], 5);
}

TEST(Features, MedianOfOddAndEvenCounts) {
  std::vector<double> odd{5, 1, 3};
  std::vector<double> even{4, 1, 3, 2};
  EXPECT_EQ(median(odd), 3);
  EXPECT_EQ(median(even), 2.5);
}

TEST(Features, RobustScaleIgnoresAFewWildValues) {
  std::vector<double> values{98, 99, 100, 101, 102, 1e9, -1e9};
  const RobustScale scale = robust_scale(values);
  EXPECT_EQ(scale.center, 100);
  EXPECT_NEAR(scale.spread, 1.4826 * 2, 1e-9);
}

TEST(Features, ConstantValuesHaveASpreadOfOnePercent) {
  std::vector<double> values(30, 50.0);
  EXPECT_DOUBLE_EQ(robust_scale(values).spread, 0.5);
  std::vector<double> zeros(30, 0.0);
  EXPECT_GT(robust_scale(zeros).spread, 0);
}

TEST(Features, WinsorizedDeviationSeesWhatMadDoesNot) {
  std::vector<double> mostly_zero(100, 0.0);
  for (std::size_t i = 0; i < 10; ++i) {
    mostly_zero[i * 10] = 1;
  }
  EXPECT_GT(winsorized_deviation(mostly_zero), 0.2);
  std::vector<double> spike(100, 0.0);
  for (std::size_t i = 0; i < spike.size(); ++i) {
    spike[i] = i % 2 == 0 ? 1 : -1;
  }
  spike[50] = 1e6;
  EXPECT_LT(winsorized_deviation(spike), 1e5 * 1.5);
  std::vector<double> constant(10, 3.0);
  EXPECT_EQ(winsorized_deviation(constant), 0);
}

TEST(Features, AreInUnitsOfSpreadAndClamped) {
  const Moment moment{.value = 130, .previous = 110, .before_previous = 90, .local = {100, 10}, .history = {50, 1}};
  const FeatureRow row = make_features(moment);
  EXPECT_DOUBLE_EQ(row[0], 3);
  EXPECT_DOUBLE_EQ(row[1], 2);
  EXPECT_NEAR(row[2], 1, 1e-9);
  EXPECT_DOUBLE_EQ(row[3], 1);
  EXPECT_DOUBLE_EQ(row[4], 12);
}

TEST(Features, StayFiniteForTheLargestValues) {
  std::vector<double> values{1e300, -1e300, 1e300, -1e300, 0};
  const RobustScale scale = robust_scale(values);
  const FeatureRow row = make_features({1e300, -1e300, 1e300, scale, {0, 1e-9}});
  for (const double feature : row) {
    EXPECT_TRUE(std::isfinite(feature));
  }
  std::vector<double> again{1e300, -1e300, 1e300, -1e300, 0};
  EXPECT_TRUE(std::isfinite(winsorized_deviation(again)));
}

}  // namespace
}  // namespace sensus::ml
