#include "anomaly_fixture.hpp"
#include "model_quality_internal.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sensus::analysis {
namespace {

std::vector<model::Sample> faulty(std::size_t points) {
  std::vector<model::Sample> samples;
  for (std::size_t i = 0; i < points; ++i) {
    samples.push_back({test::minute(i), test::healthy(i, 1)});
  }
  samples[points - 10].value = 400;
  return samples;
}

TEST(ModelQuality, CountsWhatWasFlaggedAfterTheWarmUpAndWhatItCost) {
  Quality quality;
  measure({}, SeriesKind::values, faulty(360), quality);
  EXPECT_EQ(quality.series, 1U);
  EXPECT_EQ(quality.points, 300U);
  EXPECT_EQ(quality.fed, 360U);
  EXPECT_GE(quality.notable, 1U);
  EXPECT_LE(quality.notable, 3U);
  EXPECT_EQ(quality.alerting, 1U);
  EXPECT_GE(quality.outside_band, 1U);
  EXPECT_NEAR(quality.series_days, 299.0 / 1440, 1e-9);
  EXPECT_GT(quality.bytes, 1000U);
}

TEST(ModelQuality, ASeriesThatIsTooShortTellsNothing) {
  Quality quality;
  measure({}, SeriesKind::values, faulty(60), quality);
  EXPECT_EQ(quality.series, 0U);
  EXPECT_EQ(quality.fed, 0U);
  const auto json = nlohmann::json::parse(render_quality(quality));
  EXPECT_EQ(json["alerting_per_series_day"], 0) << "and nothing is divided by it";
}

TEST(ModelQuality, FiguresAreRatesOfTheSum) {
  Quality total;
  add(total, {.series = 1, .points = 100, .notable = 3, .alerting = 1, .outside_band = 5, .series_days = 2, .seconds = 0.001, .fed = 200, .bytes = 20'000});
  add(total, {.series = 1, .points = 100, .notable = 1, .alerting = 0, .outside_band = 5, .series_days = 2, .seconds = 0.001, .fed = 200, .bytes = 10'000});
  const auto json = nlohmann::json::parse(render_quality(total));
  EXPECT_EQ(json["series"], 2);
  EXPECT_EQ(json["notable_per_series_day"], 1);
  EXPECT_EQ(json["alerting_per_series_day"], 0.25);
  EXPECT_EQ(json["outside_band_ratio"], 0.05);
  EXPECT_DOUBLE_EQ(json["microseconds_per_point"].get<double>(), 5);
  EXPECT_EQ(json["bytes_per_series"], 15'000);
}

}  // namespace
}  // namespace sensus::analysis
