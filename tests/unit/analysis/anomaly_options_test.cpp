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
  const model::ModelVersion a = make_version(detector_params(options), now);
  EXPECT_EQ(a.algorithm, "isolation_forest");
  EXPECT_TRUE(a.version.starts_with(version_prefix(detector_params(options))));
  EXPECT_EQ(a.version, make_version(detector_params(options), now).version);
  EXPECT_NE(a.version, make_version(detector_params(options), now + 1s).version);
  EXPECT_TRUE(make_version(detector_params(options), now + 1s).version.starts_with(version_prefix(detector_params(options))));
  options.warmup = 90;
  EXPECT_NE(version_prefix(detector_params(options)), a.version.substr(0, version_prefix(detector_params(options)).size()));
}

TEST(AnomalyOptions, ParametersAreJson) {
  EXPECT_EQ(render_parameters(detector_params({})), R"({"profile":"standard","warmup":60,"false_alerts_per_week":0.14})");
}

TEST(AnomalyOptions, ParametersReadBackWhatTheyPrint) {
  ml::DetectorParams params;
  params.profile = ml::Profile::compact;
  params.warmup = 120;
  params.false_alerts_per_week = 0.5;
  const auto read = parse_parameters(render_parameters(params), {});
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(render_parameters(*read), render_parameters(params));
  EXPECT_EQ(parse_parameters(R"({"warmup":90})", params)->profile, ml::Profile::compact) << "the rest as given";
  for (const std::string bad : {"", "[]", "3", R"({"profile":"huge"})", R"({"profile":3})", R"({"warmup":-1})", R"({"warmup":"x"})",
                                R"({"false_alerts_per_week":"x"})"}) {
    EXPECT_EQ(parse_parameters(bad, {}).error().code, Errc::corrupt) << bad;
  }
}

TEST(AnomalyScoring, AVerdictBecomesAnAnomalyThatSaysWhy) {
  const SeriesKey key{1, 7};
  const model::Sample sample{from_unix_us(1'763'600'040'000'000), 12};
  ml::Verdict verdict;
  verdict.kind = ml::AnomalyKind::level;
  verdict.tier = ml::Tier::alerting;
  verdict.since = sample.time - std::chrono::minutes{3};
  verdict.features = {{"mean", 12}, {"shift", -0.25}};
  verdict.contributions = {{"shape", "shift", -0.25, 4.5}, {"range", "value", std::numeric_limits<double>::infinity(), 1}};
  const model::Anomaly anomaly = make_anomaly(key, sample.time, {sample.value, verdict});
  EXPECT_EQ(anomaly.series_id, 7);
  EXPECT_EQ(anomaly.kind, "level");
  EXPECT_EQ(anomaly.tier, "alerting");
  EXPECT_EQ(anomaly.since, sample.time - std::chrono::minutes{3});
  EXPECT_EQ(anomaly.features_json, R"({"mean":12,"shift":-0.25})");
  EXPECT_EQ(anomaly.contributions_json,
            R"([{"view":"shape","feature":"shift","value":-0.25,"evidence":4.5},)"
            R"({"view":"range","feature":"value","value":null,"evidence":1}])");
  EXPECT_EQ(make_anomaly(key, sample.time, {}).features_json, "{}");
}

TEST(AnomalyScoring, SeedsDifferBySeriesAndStayTheSame) {
  EXPECT_EQ(seed_of({1, 5}), seed_of({1, 5}));
  EXPECT_NE(seed_of({1, 5}), seed_of({1, 6}));
  EXPECT_NE(seed_of({1, 5}), seed_of({2, 5}));
}

}  // namespace
}  // namespace sensus::analysis
