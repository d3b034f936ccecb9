#include "sensus/ml/detector.hpp"

#include "series.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sensus::ml {
namespace {

using test::count_anomalies;
using test::make_series;
using test::minute;
using test::Noise;
using test::run;

constexpr std::uint64_t kSeeds = 10;
constexpr std::size_t kFault = 110;  // Of 120 points.

using Maker = std::function<double(Noise&, std::size_t)>;

std::vector<Verdict> run_seed(std::uint64_t seed, std::size_t size, const Maker& value) {
  Noise noise(seed * 101 + 7);
  const std::unique_ptr<Detector> detector = make_forest_detector({.seed = seed});
  return run(*detector, make_series(size, [&](std::size_t i) { return value(noise, i); }));
}

constexpr std::uint64_t kHealthySeeds = 3;

/// Share of points flagged over a few seeds.
double alarm_rate(std::size_t size, const Maker& value) {
  double alarms = 0;
  for (std::uint64_t seed = 0; seed < kHealthySeeds; ++seed) {
    alarms += static_cast<double>(count_anomalies(run_seed(seed, size, value), 0, size));
  }
  return alarms / static_cast<double>(kHealthySeeds * size);
}

/// How many of ten seeds flag at least one of the ten points of a fault at the end of two hours.
std::size_t seeds_that_flag(const Maker& value) {
  std::size_t flagged = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::vector<Verdict> verdicts = run_seed(seed, 120, value);
    flagged += count_anomalies(verdicts, kFault, 120) > 0 ? 1 : 0;
  }
  return flagged;
}

TEST(ForestDetector, HealthySeriesStayQuiet) {
  EXPECT_LE(alarm_rate(1200, [](Noise& n, std::size_t) { return 100 + 5 * n.normal(); }), 0.0005);
  EXPECT_LE(alarm_rate(1200, [](Noise& n, std::size_t) { return n.uniform(); }), 0.0005);
  EXPECT_LE(alarm_rate(1200, [](Noise& n, std::size_t) { return 0.1 * std::exp(0.3 * n.normal()); }), 0.002);
  EXPECT_LE(alarm_rate(1200, [](Noise& n, std::size_t) { return n.exponential(); }), 0.002);
  EXPECT_LE(alarm_rate(1200, [](Noise& n, std::size_t) { return std::floor(4 + 0.5 * n.exponential()); }), 0.005);
  EXPECT_LE(alarm_rate(1200, [](Noise& n, std::size_t) { return n.uniform() < 0.02 ? 1.0 : 0.0; }), 0.005);
}

TEST(ForestDetector, SeasonAndTrendStayQuiet) {
  const auto day = [](std::size_t i) { return std::sin(2 * std::numbers::pi * static_cast<double>(i) / 1440); };
  EXPECT_LE(alarm_rate(1800, [&](Noise& n, std::size_t i) { return 60 + 40 * day(i) + 2 * n.normal(); }), 0.0005);
  EXPECT_LE(alarm_rate(1800, [&](Noise& n, std::size_t i) { return 60 + 40 * day(i) + 0.02 * n.normal(); }), 0.0005);
  EXPECT_LE(alarm_rate(1000, [](Noise& n, std::size_t i) { return 0.5 * static_cast<double>(i) + n.normal(); }), 0.0005);
  EXPECT_EQ(alarm_rate(1000, [](Noise&, std::size_t i) { return 3.0 * static_cast<double>(i); }), 0);
  EXPECT_EQ(alarm_rate(1000, [](Noise&, std::size_t) { return 5.0; }), 0);
}

TEST(ForestDetector, FlagsTheFaultsOfAnIncidentWithinTwoHours) {
  const auto after = [](std::size_t i, double factor) { return i >= kFault ? factor : 1; };
  const auto errors = [&](Noise& n, std::size_t i) { return std::max(0.0, 0.5 + 0.2 * n.normal()) * after(i, 10); };
  const auto latency = [&](Noise& n, std::size_t i) { return 0.1 * std::exp(0.2 * n.normal()) * after(i, 5); };
  const auto cpu = [&](Noise& n, std::size_t i) { return 40 + 5 * n.normal() + (i >= kFault ? 45 : 0); };
  const auto rate_to_zero = [&](Noise& n, std::size_t i) { return i >= kFault ? 0 : 100 + 10 * n.normal(); };
  EXPECT_EQ(seeds_that_flag(errors), kSeeds);
  EXPECT_EQ(seeds_that_flag(latency), kSeeds);
  EXPECT_EQ(seeds_that_flag(cpu), kSeeds);
  EXPECT_EQ(seeds_that_flag(rate_to_zero), kSeeds);
}

TEST(ForestDetector, FlagsASpikeAtOnceAndOnlyTheSpike) {
  std::size_t hits = 0;
  std::size_t others = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto verdicts = run_seed(seed, 200, [](Noise& n, std::size_t i) { return 100 + 5 * n.normal() + (i == 150 ? 60 : 0); });
    hits += verdicts[150].is_anomaly ? 1 : 0;
    others += count_anomalies(verdicts, 0, 150) + count_anomalies(verdicts, 151, 200);
  }
  EXPECT_EQ(hits, kSeeds);
  EXPECT_LE(others, 1U);
}

TEST(ForestDetector, FlagsAJumpAfterAConstantPast) {
  for (const double before : {0.0, 5.0, -20.0, 1e12}) {
    const auto verdicts = run_seed(1, 120, [before](Noise&, std::size_t i) { return i < kFault ? before : before * 1.5 + 1; });
    EXPECT_TRUE(verdicts[kFault].is_anomaly) << before;
    EXPECT_EQ(verdicts[kFault].expected, before);
    EXPECT_EQ(count_anomalies(verdicts, 0, kFault), 0U);
  }
}

TEST(ForestDetector, ReportsALastingShiftForAWhileThenTakesItAsNormal) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto verdicts = run_seed(seed, 300, [](Noise& n, std::size_t i) { return 100 + 5 * n.normal() + (i >= 150 ? 80 : 0); });
    EXPECT_GE(count_anomalies(verdicts, 150, 170), 18U);
    EXPECT_EQ(count_anomalies(verdicts, 220, 300), 0U);
    EXPECT_NEAR(verdicts[299].expected, 180, 10);
  }
}

TEST(ForestDetector, AShortFaultLeavesNoTrace) {
  // Fifteen points of fault, an hour of health, the same fault again: flagged again.
  const auto verdicts = run_seed(3, 300, [](Noise& n, std::size_t i) {
    const bool fault = (i >= 150 && i < 165) || i >= 230;
    return 100 + 5 * n.normal() + (fault ? 80 : 0);
  });
  EXPECT_GE(count_anomalies(verdicts, 150, 165), 14U);
  EXPECT_EQ(count_anomalies(verdicts, 165, 230), 0U);
  EXPECT_GE(count_anomalies(verdicts, 230, 245), 14U);
}

TEST(ForestDetector, SpikesThatKeepComingBecomeNormal) {
  const auto verdicts = run_seed(4, 3000, [](Noise& n, std::size_t i) { return 100 + 5 * n.normal() + (i % 40 == 39 ? 200 : 0); });
  EXPECT_GT(count_anomalies(verdicts, 0, 300), 0U);
  EXPECT_EQ(count_anomalies(verdicts, 2000, 3000), 0U);
}

TEST(ForestDetector, SaysNothingBeforeTheWarmUp) {
  const std::unique_ptr<Detector> detector = make_forest_detector({.warmup = 50, .threshold = 0.01, .seed = 1});
  Noise noise(1);
  for (std::size_t i = 0; i < 50; ++i) {
    const Verdict verdict = detector->update(minute(i), i % 10 == 9 ? 1e6 : noise.normal());
    EXPECT_FALSE(verdict.is_anomaly);
    EXPECT_EQ(verdict.score, 0);
  }
  EXPECT_GT(detector->update(minute(50), 0).score, 0);
}

TEST(ForestDetector, IgnoresPointsThatAreLateOrNotFinite) {
  const auto series = [](Noise& n) { return 10 + n.normal(); };
  const std::unique_ptr<Detector> plain = make_forest_detector({.seed = 5});
  const std::unique_ptr<Detector> disturbed = make_forest_detector({.seed = 5});
  Noise noise(5);
  for (std::size_t i = 0; i < 100; ++i) {
    const double value = series(noise);
    plain->update(minute(i), value);
    disturbed->update(minute(i), value);
    EXPECT_FALSE(disturbed->update(minute(i), 1e9).is_anomaly);
    EXPECT_FALSE(disturbed->update(minute(0), 1e9).is_anomaly);
    EXPECT_FALSE(disturbed->update(minute(i) + 1s, std::numeric_limits<double>::quiet_NaN()).is_anomaly);
    EXPECT_FALSE(disturbed->update(minute(i) + 1s, std::numeric_limits<double>::infinity()).is_anomaly);
    EXPECT_EQ(disturbed->last_time(), minute(i));
  }
  EXPECT_EQ(plain->serialize(), disturbed->serialize());
}

TEST(ForestDetector, NeverSaysNan) {
  const std::vector<double> wild{0, -0.0, 1e308, -1e308, std::numeric_limits<double>::max(), std::numeric_limits<double>::lowest(),
                                 std::numeric_limits<double>::denorm_min(), 1e-300, 1, 42};
  Noise noise(6);
  const std::unique_ptr<Detector> detector = make_forest_detector({.seed = 6});
  for (std::size_t i = 0; i < 1500; ++i) {
    const double value = wild[static_cast<std::size_t>(noise.uniform() * static_cast<double>(wild.size()))];
    const Verdict verdict = detector->update(minute(i), value);
    ASSERT_TRUE(std::isfinite(verdict.score) && std::isfinite(verdict.expected));
    ASSERT_GE(verdict.score, 0);
    ASSERT_LT(verdict.score, 1);
    for (const auto& [name, feature] : verdict.features) {
      ASSERT_TRUE(std::isfinite(feature)) << name;
    }
  }
}

TEST(ForestDetector, NamesTheFeaturesItScored) {
  const auto verdicts = run_seed(7, 100, [](Noise& n, std::size_t i) { return n.normal() + (i == 99 ? 50 : 0); });
  std::vector<std::string> names;
  for (const auto& [name, feature] : verdicts[99].features) {
    names.push_back(name);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"value", "difference", "shift", "lag", "level"}));
  EXPECT_EQ(verdicts[99].features.front().second, 12);
  EXPECT_TRUE(verdicts[99].is_anomaly);
  EXPECT_GE(verdicts[99].score, verdicts[99].threshold);
}

TEST(ForestDetector, SameSeedSameVerdictsAndNoLookAhead) {
  const Maker value = [](Noise& n, std::size_t i) { return n.normal() + (i % 97 == 96 ? 30 : 0); };
  const auto longer = run_seed(8, 500, value);
  const auto shorter = run_seed(8, 300, value);
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    ASSERT_EQ(longer[i].score, shorter[i].score);
    ASSERT_EQ(longer[i].is_anomaly, shorter[i].is_anomaly);
  }
}

TEST(ForestDetector, ParametersOutOfBoundsAreMovedToTheNearest) {
  const std::unique_ptr<Detector> detector =
      make_forest_detector({.trees = 0, .subsample = 0, .history = 0, .warmup = 0, .threshold = 0.5, .seed = 1});
  Noise noise(9);
  Verdict last;
  for (std::size_t i = 0; i < 100; ++i) {
    last = detector->update(minute(i), noise.normal());
  }
  EXPECT_GT(last.score, 0);
}

TEST(ForestDetector, RetrainOnScheduleKeepsWatching) {
  const std::unique_ptr<Detector> detector = make_forest_detector({.seed = 2});
  detector->retrain();  // Before there is anything to learn from.
  Noise noise(10);
  for (std::size_t i = 0; i < 200; ++i) {
    detector->update(minute(i), 10 + noise.normal());
  }
  const std::string before = detector->serialize();
  detector->retrain();
  EXPECT_NE(detector->serialize(), before);
  EXPECT_TRUE(detector->update(minute(200), 60).is_anomaly);
}

}  // namespace
}  // namespace sensus::ml
