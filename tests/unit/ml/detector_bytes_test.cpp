#include "sensus/ml/detector.hpp"

#include "bytes_internal.hpp"
#include "series.hpp"

#include <gtest/gtest.h>

namespace sensus::ml {
namespace {

using test::minute;
using test::Noise;

std::unique_ptr<Detector> fed(std::size_t points) {
  std::unique_ptr<Detector> detector = make_forest_detector({.trees = 10, .history = 200, .seed = 3});
  Noise noise(3);
  for (std::size_t i = 0; i < points; ++i) {
    detector->update(minute(i), 10 + noise.normal() + (i % 70 == 65 ? 100 : 0));
  }
  return detector;
}

const ForestDetectorParams kParams{.trees = 10, .history = 200, .seed = 3};

TEST(DetectorBytes, ARestoredDetectorGoesOnAsTheOriginal) {
  for (const std::size_t points : {0U, 5U, 44U, 45U, 70U, 150U, 700U}) {
    const std::unique_ptr<Detector> original = fed(points);
    const std::string bytes = original->serialize();
    const Result<std::unique_ptr<Detector>> restored = restore_forest_detector(kParams, bytes);
    ASSERT_TRUE(restored.has_value()) << points << ": " << restored.error().message;
    EXPECT_EQ((*restored)->serialize(), bytes);
    EXPECT_EQ((*restored)->last_time(), original->last_time());
    Noise noise(4);
    for (std::size_t i = points; i < points + 300; ++i) {
      const double value = 10 + noise.normal() + (i % 50 == 49 ? 100 : 0);
      const Verdict a = original->update(minute(i), value);
      const Verdict b = (*restored)->update(minute(i), value);
      ASSERT_EQ(a.score, b.score);
      ASSERT_EQ(a.is_anomaly, b.is_anomaly);
      ASSERT_EQ(a.expected, b.expected);
    }
  }
}

TEST(DetectorBytes, OtherParametersAreRefused) {
  const std::string bytes = fed(100)->serialize();
  ForestDetectorParams other = kParams;
  other.threshold = 0.7;
  const auto restored = restore_forest_detector(other, bytes);
  ASSERT_FALSE(restored.has_value());
  EXPECT_EQ(restored.error().code, Errc::corrupt);
}

TEST(DetectorBytes, ChangedAndTruncatedBytesAreRefused) {
  const std::string bytes = fed(100)->serialize();
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x40);
    ASSERT_FALSE(restore_forest_detector(kParams, changed).has_value()) << "byte " << i;
    ASSERT_FALSE(restore_forest_detector(kParams, std::string_view(bytes).substr(0, i)).has_value()) << "size " << i;
  }
}

TEST(DetectorBytes, ForgedBytesWithARightChecksumNeverCrash) {
  const std::string bytes = fed(100)->serialize();
  Noise noise(5);
  std::size_t accepted = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string forged = bytes.substr(0, bytes.size() - 8);
    for (int change = 0; change < 3; ++change) {
      const auto at = static_cast<std::size_t>(noise.uniform() * static_cast<double>(forged.size()));
      forged[at] = static_cast<char>(256 * noise.uniform() - 128);
    }
    ByteWriter out;
    out.text(forged);
    const auto restored = restore_forest_detector(kParams, std::move(out).finish());
    if (restored.has_value()) {
      ++accepted;
      const Verdict verdict = (*restored)->update(Timestamp::max(), 10);
      ASSERT_GE(verdict.score, 0);
    }
  }
  EXPECT_GT(accepted, 0U);  // A changed value is still a value: the walk was exercised.
}

}  // namespace
}  // namespace sensus::ml
