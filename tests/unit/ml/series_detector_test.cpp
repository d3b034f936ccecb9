#include "sensus/ml/detector.hpp"

#include "daily.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sensus::ml {
namespace {

using test::at_seconds;
using test::count_between;
using test::daily_wave;
using test::feed;
using test::kDay;
using test::Noise;
using test::Point;

constexpr double kHour = 3600;

TEST(SeriesDetector, FindsASpikeAndSaysWhy) {
  const auto points = daily_wave(10, 300, 1, [](double t, double v) {
    return t >= 9 * kDay && t < 9 * kDay + 900 ? v + 60 : v;
  });
  const auto detector = make_detector({});
  const std::vector<Verdict> verdicts = feed(*detector, points);
  const std::size_t first = 9 * 288;
  ASSERT_TRUE(verdicts[first].is_anomaly);
  EXPECT_EQ(verdicts[first].kind, AnomalyKind::range);
  EXPECT_EQ(verdicts[first].tier, Tier::alerting);
  EXPECT_GE(verdicts[first].score, verdicts[first].threshold);
  EXPECT_LT(verdicts[first].band_high, points[first].value);
  EXPECT_NEAR(verdicts[first].expected, 45, 6);
  EXPECT_LE(verdicts[first].since, points[first].time);
  EXPECT_GT(verdicts[first].since, points[first - 24].time);
  ASSERT_FALSE(verdicts[first].contributions.empty());
  EXPECT_EQ(verdicts[first].contributions.front().view, "range");
  EXPECT_EQ(verdicts[first].features.front().second, points[first].value);
  double shares = 0;
  for (const Contribution& contribution : verdicts[first].contributions) {
    shares += contribution.evidence;
  }
  EXPECT_NEAR(shares, verdicts[first].evidence, 1e-6);
}

TEST(SeriesDetector, OneIncidentIsNotManyAnomalies) {
  const auto points =
      daily_wave(10, 300, 2, [](double t, double v) { return t >= 9 * kDay ? v + 40 : v; });
  const auto detector = make_detector({});
  const auto verdicts = feed(*detector, points);
  const std::size_t count = count_between(points, verdicts, 9 * kDay, 10 * kDay);
  EXPECT_GE(count, 1U);
  EXPECT_LE(count, 12U);
}

TEST(SeriesDetector, HealthySeriesAreMostlyQuiet) {
  std::size_t count = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto points = daily_wave(10, 300, seed);
    const auto detector = make_detector({.seed = seed});
    count += count_between(points, feed(*detector, points), kDay, 10 * kDay);
  }
  EXPECT_LE(count, 9U);  // 90 series-days.
}

TEST(SeriesDetector, NoLookAheadAndTheSameSeedSaysTheSame) {
  const auto points = daily_wave(
      6, 300, 3, [](double t, double v) { return t > 5 * kDay && t < 5 * kDay + kHour ? 0 : v; });
  const auto whole = feed(*make_detector({.seed = 5}), points);
  for (const std::size_t size : {1UL, 59UL, 60UL, 61UL, 200UL, 1000UL, 1445UL}) {
    const auto part = feed(*make_detector({.seed = 5}),
                           {points.begin(), points.begin() + static_cast<std::ptrdiff_t>(size)});
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(part[i].score, whole[i].score) << i;
      ASSERT_EQ(part[i].evidence, whole[i].evidence) << i;
      ASSERT_EQ(part[i].kind, whole[i].kind) << i;
      ASSERT_EQ(part[i].expected, whole[i].expected) << i;
    }
  }
}

TEST(SeriesDetector, SaysNothingBeforeTheWarmUp) {
  const auto detector = make_detector({.warmup = 100});
  for (std::size_t i = 0; i < 100; ++i) {
    const Verdict verdict = detector->update(at_seconds(300.0 * static_cast<double>(i)),
                                             i == 90 ? 1e6 : static_cast<double>(i % 7));
    ASSERT_EQ(verdict.score, 0);
    ASSERT_FALSE(verdict.is_anomaly);
  }
}

TEST(SeriesDetector, LateAndStrangePointsAreIgnored) {
  const auto points = daily_wave(3, 300, 4);
  const auto clean = make_detector({});
  const auto dirty = make_detector({});
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Verdict a = clean->update(points[i].time, points[i].value);
    const Verdict b = dirty->update(points[i].time, points[i].value);
    ASSERT_EQ(a.evidence, b.evidence);
    for (const double value :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e9}) {
      const bool is_late = i % 2 == 0;
      const Verdict ignored =
          dirty->update(points[i].time - std::chrono::minutes(is_late ? 7 : 0), value);
      ASSERT_FALSE(ignored.is_anomaly);
      ASSERT_EQ(ignored.score, 0);
    }
  }
  EXPECT_EQ(clean->serialize(), dirty->serialize());
}

/// Values and distances of every size, drawn at random: nothing that comes out may be NaN or
/// outside its bounds.
TEST(SeriesDetector, NeverSaysNan) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Noise noise(seed);
    const auto detector = make_detector({.seed = seed});
    double t = 0;
    for (int i = 0; i < 3000; ++i) {
      t += noise.uniform() < 0.01 ? 1e6 * noise.uniform() : 600 * noise.uniform() + 1e-6;
      double value = noise.normal();
      if (seed % 2 == 0) {
        value *= std::pow(10, 40 * noise.normal());
      }
      if (seed % 3 == 0) {
        value = std::floor(value);
      }
      const Verdict verdict = detector->update(at_seconds(t), seed == 5 ? 3 : value);
      ASSERT_TRUE(verdict.score >= 0 && verdict.score <= 1);
      for (const double v :
           {verdict.evidence, verdict.expected, verdict.band_low, verdict.band_high}) {
        ASSERT_TRUE(std::isfinite(v)) << seed << " " << i;
      }
      for (const Contribution& contribution : verdict.contributions) {
        ASSERT_TRUE(std::isfinite(contribution.evidence) && std::isfinite(contribution.value));
      }
    }
  }
}

TEST(SeriesDetector, LearnsTheStep) {
  for (const double step : {15.0, 60.0, 300.0, 3600.0}) {
    const auto detector = make_detector({});
    EXPECT_EQ(detector->learned_step().count(), 0);
    feed(*detector, daily_wave(1, step, 1));
    EXPECT_NEAR(static_cast<double>(detector->learned_step().count()) * 1e-6, step, step * 1e-6);
  }
}

TEST(SeriesDetector, FindsTheSameIncidentAtEveryStep) {
  for (const double step : {300.0, 60.0, 15.0}) {
    const auto points = daily_wave(5, step, 6, [](double t, double v) {
      return t >= 4 * kDay + 6 * kHour && t < 4 * kDay + 8 * kHour ? v + 30 : v;
    });
    const auto verdicts = feed(*make_detector({}), points);
    EXPECT_GE(count_between(points, verdicts, 4 * kDay + 6 * kHour, 4 * kDay + 7 * kHour), 1U)
        << step;
    EXPECT_LE(count_between(points, verdicts, kDay, 4 * kDay + 6 * kHour), 3U) << step;
  }
}

TEST(SeriesDetector, GatesHoldBackButLearn) {
  const auto points = daily_wave(10, 300, 1, [](double t, double v) {
    return t >= 9 * kDay && t < 9 * kDay + 900 ? v + 60 : v;
  });
  const std::size_t spike = 9 * 288;
  const auto verdict_with = [&](const Gates& gates) {
    const auto detector = make_detector({});
    detector->set_gates(gates);
    return feed(*detector, points)[spike];
  };
  EXPECT_TRUE(verdict_with({.direction = Direction::above}).is_anomaly);
  const Verdict below = verdict_with({.direction = Direction::below});
  EXPECT_FALSE(below.is_anomaly);
  EXPECT_LT(below.score, below.threshold);
  EXPECT_EQ(below.evidence, verdict_with({}).evidence);
  EXPECT_TRUE(verdict_with({.deviation_min = 30}).is_anomaly);
  EXPECT_FALSE(verdict_with({.deviation_min = 90}).is_anomaly);
  EXPECT_TRUE(verdict_with({.deviation_relative_min = 0.5}).is_anomaly);
  EXPECT_FALSE(verdict_with({.deviation_relative_min = 5}).is_anomaly);
  EXPECT_FALSE(verdict_with({.value_max = 100}).is_anomaly);
  EXPECT_TRUE(verdict_with({.value_max = 120}).is_anomaly);
  EXPECT_FALSE(verdict_with({.value_min = 120}).is_anomaly);
  EXPECT_FALSE(verdict_with({.is_muted = true}).is_anomaly);
  EXPECT_FALSE(verdict_with({.warmup = spike + 1}).is_anomaly);
  EXPECT_TRUE(verdict_with({.warmup = spike}).is_anomaly);
}

TEST(SeriesDetector, MemoryKeepsToTheProfile) {
  const auto most = [](Profile profile) {
    std::size_t bytes = 0;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      const auto detector = make_detector({.profile = profile, .seed = seed});
      Noise noise(seed);
      for (std::size_t i = 0; i < 6000; ++i) {
        // Repeats and jumps, so that no view is trivial.
        const double value = i % 5 == 0 ? 1 : std::exp(2 * noise.normal());
        detector->update(at_seconds(300.0 * static_cast<double>(i)), value);
        bytes = std::max(bytes, detector->memory_bytes());
      }
      EXPECT_LE(detector->serialize().size(), bytes + 1024);
    }
    return bytes;
  };
  EXPECT_LE(most(Profile::compact), 8U * 1024);
  EXPECT_LE(most(Profile::standard), 24U * 1024);
  EXPECT_LE(most(Profile::thorough), 48U * 1024);
}

TEST(SeriesDetector, EveryProfileFindsTheSpike) {
  const auto points = daily_wave(6, 300, 1, [](double t, double v) {
    return t >= 5 * kDay && t < 5 * kDay + 900 ? v + 60 : v;
  });
  for (const Profile profile : {Profile::compact, Profile::standard, Profile::thorough}) {
    EXPECT_EQ(count_between(points, feed(*make_detector({.profile = profile}), points), 5 * kDay,
                            5 * kDay + 900),
              1U);
  }
}

TEST(SeriesDetector, AFlatLineIsToldOncePerTier) {
  const auto points = daily_wave(9, 300, 1, [](double t, double v) {
    return t >= 8 * kDay && t < 8 * kDay + 6 * kHour ? 43.21 : v;
  });
  const auto verdicts = feed(*make_detector({}), points);
  std::size_t flat = 0;
  for (std::size_t i = 8 * 288; i < 8 * 288 + 72; ++i) {
    flat += verdicts[i].kind == AnomalyKind::flat_line &&
                    verdicts[i].contributions.front().view == "flat_line"
                ? 1U
                : 0U;
  }
  EXPECT_GE(flat, 1U);
  EXPECT_LE(flat, 2U);
}

TEST(SeriesDetector, ASeriesThatOftenRepeatsIsNotFlat) {
  Noise noise(3);
  const auto detector = make_detector({});
  std::size_t flat = 0;
  for (std::size_t i = 0; i < 4000; ++i) {
    const double value = noise.uniform() < 0.03 ? std::floor(4 * noise.uniform()) : 0;
    flat += detector->update(at_seconds(300.0 * static_cast<double>(i)), value).kind ==
                    AnomalyKind::flat_line
                ? 1U
                : 0U;
  }
  EXPECT_EQ(flat, 0U);
}

TEST(SeriesDetector, AGapIsTold) {
  for (const double step : {15.0, 60.0, 300.0}) {
    const double outage = std::max(20 * step, 1200.0);
    const auto points = daily_wave(3, step, 1);
    const auto asked = make_detector({});
    const auto fed = make_detector({});
    for (std::size_t i = 0; i + 1 < points.size(); ++i) {
      asked->update(points[i].time, points[i].value);
      fed->update(points[i].time, points[i].value);
      ASSERT_FALSE(asked->check_silence(points[i + 1].time).is_anomaly);
    }
    const Timestamp back = asked->last_time() + std::chrono::seconds(static_cast<int>(outage));
    const Verdict silence = asked->check_silence(back);
    EXPECT_EQ(silence.kind, AnomalyKind::gap) << step;
    EXPECT_TRUE(silence.is_anomaly);
    EXPECT_EQ(silence.since, asked->last_time());
    EXPECT_FALSE(asked->check_silence(back).is_anomaly) << "told twice";
    const Verdict late = fed->update(back, points.back().value);
    EXPECT_EQ(late.kind, AnomalyKind::gap) << step;
    EXPECT_GE(late.score, late.threshold);
    EXPECT_NE(asked->update(back, points.back().value).kind, AnomalyKind::gap);
  }
}

TEST(SeriesDetector, IrregularSeriesHaveNoGaps) {
  Noise noise(1);
  const auto detector = make_detector({});
  double t = 0;
  std::size_t gaps = 0;
  for (int i = 0; i < 3000; ++i) {
    t += 600 * noise.exponential();
    gaps += detector->update(at_seconds(t), noise.normal()).kind == AnomalyKind::gap ? 1U : 0U;
  }
  EXPECT_LE(gaps, 1U);
}

TEST(SeriesDetector, TheFirstWeekendIsHeldBackAndNamed) {
  const auto weekdays = daily_wave(12, 300, 1, [](double t, double v) {
    return static_cast<int>(t / kDay) % 7 >= 5 ? v - 9 : v;
  });
  const auto verdicts = feed(*make_detector({}), weekdays);
  for (std::size_t i = 5 * 288; i < 7 * 288; ++i) {
    EXPECT_NE(verdicts[i].tier, Tier::alerting) << i;
    if (verdicts[i].is_anomaly && verdicts[i].kind != AnomalyKind::range) {
      EXPECT_EQ(verdicts[i].kind, AnomalyKind::unseen_season);
    }
  }
  EXPECT_LE(count_between(weekdays, verdicts, 5 * kDay, 7 * kDay), 3U);
}

TEST(SeriesDetector, FeedbackMovesTheThresholds) {
  const auto points = daily_wave(3, 300, 1);
  const auto detector = make_detector({});
  feed(*detector, points);
  auto next = [&, i = 0]() mutable {
    return detector->update(points.back().time + std::chrono::minutes(5 * ++i), 45);
  };
  const Verdict before = next();
  detector->learn_feedback(Feedback::noise, 16);
  const Verdict noisy = next();
  EXPECT_GT(noisy.notable_evidence, before.notable_evidence + 0.5);
  EXPECT_GT(noisy.alerting_evidence, before.alerting_evidence + 0.5);
  detector->learn_feedback(Feedback::expected, 18);
  const Verdict expected = next();
  EXPECT_GT(expected.notable_evidence, 18);
  for (int i = 0; i < 100; ++i) {
    detector->learn_feedback(Feedback::useful, 18);
  }
  EXPECT_LT(next().notable_evidence, before.notable_evidence);
  EXPECT_GT(next().notable_evidence, 10);  // However often it is said.
  detector->learn_feedback(Feedback::expected, std::numeric_limits<double>::infinity());
  EXPECT_LT(next().notable_evidence, 30);
}

TEST(SeriesDetector, TheRateAskedForMovesTheAlertingThreshold) {
  const auto points = daily_wave(7, 300, 1);
  double last = 1e9;
  for (const double rate : {0.0, 0.01, 0.14, 0.4}) {
    const double threshold =
        feed(*make_detector({.false_alerts_per_week = rate}), points).back().alerting_evidence;
    EXPECT_LT(threshold, last);
    last = threshold;
  }
}

TEST(SeriesDetector, NamesGoThereAndBack) {
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(parse_anomaly_kind(name_of(static_cast<AnomalyKind>(i))),
              static_cast<AnomalyKind>(i));
  }
  for (const Profile profile : {Profile::compact, Profile::standard, Profile::thorough}) {
    EXPECT_EQ(parse_profile(name_of(profile)), profile);
  }
  for (const Direction direction : {Direction::both, Direction::above, Direction::below}) {
    EXPECT_EQ(parse_direction(name_of(direction)), direction);
  }
  EXPECT_FALSE(parse_profile("huge"));
  EXPECT_FALSE(parse_anomaly_kind("odd"));
  EXPECT_FALSE(parse_direction("up"));
}

}  // namespace
}  // namespace sensus::ml
