#include "anomaly_scoring_internal.hpp"
#include "anomaly_worker_internal.hpp"

#include "sensus/config/section.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

TEST(AnomalyOptions, EveryFieldIsDeclaredWithADefaultThatItAccepts) {
  AnomalyOptions options;
  config::Section section("analysis", "Anomalies and root causes.");
  describe(section, options);
  EXPECT_EQ(section.fields().size(), 8U);
  for (const config::Field& field : section.fields()) {
    EXPECT_FALSE(field.help.empty()) << field.key;
    EXPECT_TRUE(field.set(field.default_text).has_value()) << field.key << " " << field.default_text;
  }
}

TEST(AnomalyOptions, VersionsOfTheSameParametersShareAPrefix) {
  AnomalyOptions options;
  const Timestamp now = from_unix_us(1'763'600'000'123'456);
  const model::ModelVersion a = make_version(options, now);
  EXPECT_EQ(a.algorithm, "isolation_forest");
  EXPECT_TRUE(a.version.starts_with(version_prefix(options)));
  EXPECT_EQ(a.version, make_version(options, now).version);
  EXPECT_NE(a.version, make_version(options, now + 1s).version);
  EXPECT_TRUE(make_version(options, now + 1s).version.starts_with(version_prefix(options)));
  options.threshold = 0.6;
  EXPECT_NE(version_prefix(options), a.version.substr(0, version_prefix(options).size()));
}

TEST(AnomalyOptions, ParametersAreJson) {
  EXPECT_EQ(render_parameters({}),
            R"({"trees":50,"subsample":64,"history":1024,"warmup":45,"threshold":0.55,)"
            R"("features":["value","difference","shift","lag","level"]})");
}

TEST(AnomalyScoring, FeaturesAreJson) {
  EXPECT_EQ(render_features({}), "{}");
  EXPECT_EQ(render_features({{"value", 12}, {"lag", -0.25}}), R"({"value":12,"lag":-0.25})");
}

TEST(AnomalyScoring, SeedsDifferBySeriesAndStayTheSame) {
  EXPECT_EQ(seed_of({1, 5}), seed_of({1, 5}));
  EXPECT_NE(seed_of({1, 5}), seed_of({1, 6}));
  EXPECT_NE(seed_of({1, 5}), seed_of({2, 5}));
}

}  // namespace
}  // namespace sensus::analysis
