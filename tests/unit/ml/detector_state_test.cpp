#include "sensus/ml/detector.hpp"

#include "bytes_internal.hpp"
#include "daily.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace sensus::ml {
namespace {

using test::daily_wave;
using test::feed;
using test::Noise;
using test::Point;

const DetectorParams kParams{.seed = 3};

TEST(DetectorState, ARestoredDetectorGoesOnAsTheOriginal) {
  const auto points = daily_wave(
      5, 300, 1, [](double t, double v) { return std::fmod(t, 7e4) < 600 ? v + 50 : v; });
  for (const std::size_t cut : {0UL, 1UL, 30UL, 51UL, 55UL, 100UL, 700UL, 1300UL}) {
    const auto original = make_detector(kParams);
    feed(*original, {points.begin(), points.begin() + static_cast<std::ptrdiff_t>(cut)});
    const std::string bytes = original->serialize();
    const auto restored = restore_detector(kParams, bytes);
    ASSERT_TRUE(restored.has_value()) << cut << ": " << restored.error().message;
    EXPECT_EQ((*restored)->serialize(), bytes);
    EXPECT_EQ((*restored)->last_time(), original->last_time());
    for (std::size_t i = cut; i < points.size(); ++i) {
      const Verdict a = original->update(points[i].time, points[i].value);
      const Verdict b = (*restored)->update(points[i].time, points[i].value);
      ASSERT_EQ(a.evidence, b.evidence) << cut << " " << i;
      ASSERT_EQ(a.score, b.score);
      ASSERT_EQ(a.expected, b.expected);
      ASSERT_EQ(a.band_high, b.band_high);
    }
    EXPECT_EQ((*restored)->serialize(), original->serialize());
  }
}

std::string learned_bytes() {
  const auto detector = make_detector(kParams);
  feed(*detector, daily_wave(3, 300, 2));
  return detector->serialize();
}

TEST(DetectorState, OtherParametersAreRefused) {
  const std::string bytes = learned_bytes();
  for (const DetectorParams& other :
       {DetectorParams{.profile = Profile::compact, .seed = 3}, DetectorParams{.seed = 4},
        DetectorParams{.seed = 3, .warmup = 100}}) {
    const auto restored = restore_detector(other, bytes);
    ASSERT_FALSE(restored.has_value());
    EXPECT_EQ(restored.error().code, Errc::corrupt);
  }
  EXPECT_TRUE(restore_detector({.seed = 3, .false_alerts_per_week = 2}, bytes).has_value());
}

TEST(DetectorState, ChangedAndTruncatedBytesAreRefused) {
  const std::string bytes = learned_bytes();
  for (std::size_t i = 0; i < bytes.size(); i += 61) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    ASSERT_FALSE(restore_detector(kParams, changed).has_value()) << "byte " << i;
    ASSERT_FALSE(restore_detector(kParams, std::string_view(bytes).substr(0, i)).has_value())
        << "size " << i;
  }
}

TEST(DetectorState, ForgedBytesWithARightChecksumNeverCrash) {
  const std::string bytes = learned_bytes();
  Noise noise(5);
  std::size_t accepted = 0;
  for (int round = 0; round < 400; ++round) {
    std::string forged = bytes.substr(0, bytes.size() - 8);
    for (int change = 0; change < 2; ++change) {
      const double spread =
          round % 2 == 0
              ? 400
              : static_cast<double>(forged.size());  // Counters and sizes stand at the front.
      const auto at = static_cast<std::size_t>(noise.uniform() * spread);
      forged[at] = static_cast<char>(256 * noise.uniform() - 128);
    }
    ByteWriter out;
    out.text(forged);
    const auto restored = restore_detector(kParams, std::move(out).finish());
    if (!restored.has_value()) {
      continue;
    }
    ++accepted;
    for (const Point& point : daily_wave(3.2, 300, 2)) {
      const Verdict verdict = (*restored)->update(point.time, point.value);
      ASSERT_TRUE(verdict.score >= 0 && verdict.score <= 1);
      ASSERT_TRUE(std::isfinite(verdict.evidence));
    }
    static_cast<void>((*restored)->update(Timestamp::max(), 10));
    static_cast<void>((*restored)->serialize());
  }
  EXPECT_GT(accepted, 10U);  // A changed value is still a value: the walk was exercised.
}

}  // namespace
}  // namespace sensus::ml
