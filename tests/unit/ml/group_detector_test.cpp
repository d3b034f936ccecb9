#include "sensus/ml/group_detector.hpp"

#include "daily.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace sensus::ml {
namespace {

using test::at_seconds;
using test::kDay;
using test::Noise;

/// Requests, CPU and network follow one load; memory moves against it.
std::array<double, 4> service(double t, Noise& noise) {
  const double load = std::sin(2 * std::numbers::pi * t / kDay) + 0.3 * noise.normal();
  return {500 + 200 * load + 8 * noise.normal(), 40 + 15 * load + 0.8 * noise.normal(), 9e6 + 4e6 * load + 2e5 * noise.normal(),
          70 - 6 * load + 0.4 * noise.normal()};
}

std::vector<std::string> names() { return {"requests", "cpu", "network", "free_memory"}; }

TEST(GroupDetector, FindsWhatNoSingleSeriesShows) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Noise noise(seed);
    GroupDetector group(names(), {.seed = seed});
    std::size_t before = 0;
    std::size_t found = 0;
    for (int i = 0; i < 8 * 288; ++i) {
      const double t = 300.0 * i;
      auto row = service(t, noise);
      const bool is_odd = i >= 7 * 288 + 70 && i < 7 * 288 + 76;
      if (is_odd) {
        row[1] = 30;  // At the daily peak: an ordinary value of the night.
      }
      const Verdict verdict = group.update(at_seconds(t), row);
      before += verdict.is_anomaly && i < 7 * 288 && i > 288 ? 1U : 0U;
      if (is_odd && verdict.is_anomaly) {
        ++found;
        EXPECT_EQ(verdict.features.front().first, "cpu");
        EXPECT_EQ(verdict.contributions.front().feature, "cpu");
        EXPECT_GT(verdict.expected, 35);  // The common movement includes the odd value.
      }
    }
    EXPECT_GE(found, 1U) << seed;
    EXPECT_LE(before, 4U) << seed;
  }
}

TEST(GroupDetector, MissingValuesAndStrangeRowsNeverGiveNan) {
  Noise noise(1);
  GroupDetector group(names(), {});
  for (int i = 0; i < 2000; ++i) {
    auto row = service(60.0 * i, noise);
    for (double& value : row) {
      if (noise.uniform() < 0.05) {
        value = noise.uniform() < 0.5 ? std::numeric_limits<double>::quiet_NaN() : 1e300 * noise.normal();
      }
    }
    const Verdict verdict = group.update(at_seconds(60.0 * i), std::span(row).first(i % 50 == 0 ? 2 : 4));
    ASSERT_TRUE(verdict.score >= 0 && verdict.score <= 1);
    ASSERT_TRUE(std::isfinite(verdict.evidence) && std::isfinite(verdict.expected));
  }
}

TEST(GroupDetector, IsDeterministicAndBoundedAndIgnoresLateRows) {
  Noise noise(1);
  GroupDetector a(names(), {.seed = 3});
  GroupDetector b(names(), {.seed = 3});
  for (int i = 0; i < 3000; ++i) {
    const auto row = service(300.0 * i, noise);
    const Verdict x = a.update(at_seconds(300.0 * i), row);
    ASSERT_EQ(x.evidence, b.update(at_seconds(300.0 * i), row).evidence);
    const std::array<double, 4> wild{1e9, 1e9, 1e9, 1e9};
    ASSERT_FALSE(b.update(at_seconds(300.0 * i), wild).is_anomaly);
  }
  EXPECT_LT(a.memory_bytes(), 300U * 1024);
}

TEST(AnomalousShare, CountsEachSeriesOnceInTheWindow) {
  AnomalousShare share(std::chrono::minutes(10));
  EXPECT_EQ(share.share(at_seconds(0), 0), 0);
  share.note(1, at_seconds(0));
  share.note(1, at_seconds(60));
  share.note(2, at_seconds(300));
  EXPECT_DOUBLE_EQ(share.share(at_seconds(300), 8), 0.25);
  EXPECT_DOUBLE_EQ(share.share(at_seconds(800), 8), 0.125);
  EXPECT_DOUBLE_EQ(share.share(at_seconds(2000), 8), 0);
}

}  // namespace
}  // namespace sensus::ml
