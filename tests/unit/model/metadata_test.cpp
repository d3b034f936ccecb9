#include "sensus/model/metadata.hpp"
#include "sensus/model/sample.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

namespace sensus::model {
namespace {

TEST(MetricType, IsSpelledAsPrometheusDoes) {
  for (int i = 0; i < 8; ++i) {
    const auto type = static_cast<MetricType>(i);
    EXPECT_EQ(parse_metric_type(to_string(type)), type);
  }
  EXPECT_EQ(to_string(MetricType::gauge_histogram), "gaugehistogram");
  EXPECT_EQ(parse_metric_type("untyped"), MetricType::unknown);
  EXPECT_EQ(parse_metric_type("Counter"), std::nullopt);
  EXPECT_EQ(parse_metric_type(""), std::nullopt);
}

TEST(MetadataBatch, GivesBackWhatWasAppended) {
  MetadataBatch batch;
  EXPECT_TRUE(batch.empty());
  batch.append({"up", MetricType::gauge, "", "1 when the scrape worked"});
  batch.append({"", MetricType::unknown, "", ""});
  batch.append({"http_seconds", MetricType::histogram, "seconds", ""});
  ASSERT_EQ(batch.size(), 3U);
  EXPECT_EQ(batch[0].family, "up");
  EXPECT_EQ(batch[0].help, "1 when the scrape worked");
  EXPECT_EQ(batch[1].family, "");
  EXPECT_EQ(batch[2].family, "http_seconds");
  EXPECT_EQ(batch[2].type, MetricType::histogram);
  EXPECT_EQ(batch[2].unit, "seconds");
  EXPECT_EQ(batch[2].help, "");
}

TEST(MetricFamily, OfASeriesIsItsNameOrWhatIsLeftWithoutTheSuffix) {
  EXPECT_EQ(family_candidates("up")[0], "up");
  EXPECT_EQ(family_candidates("up")[1], "");
  EXPECT_EQ(family_candidates("http_seconds_bucket")[1], "http_seconds");
  EXPECT_EQ(family_candidates("requests_total")[1], "requests");
  EXPECT_EQ(family_candidates("_total")[1], "") << "nothing would be left";
}

TEST(MetricFamily, HasTheSeriesOfItsType) {
  EXPECT_TRUE(belongs_to("x", "x", MetricType::gauge));
  EXPECT_TRUE(belongs_to("x_bucket", "x", MetricType::histogram));
  EXPECT_TRUE(belongs_to("x_total", "x", MetricType::counter));
  EXPECT_TRUE(belongs_to("x_gsum", "x", MetricType::gauge_histogram));
  EXPECT_TRUE(belongs_to("x_created", "x", MetricType::counter));
  EXPECT_FALSE(belongs_to("x_bucket", "x", MetricType::gauge));
  EXPECT_FALSE(belongs_to("x_bucket", "x", MetricType::summary));
  EXPECT_FALSE(belongs_to("x_count", "y", MetricType::histogram));
}

TEST(MetricFamily, OfASeriesThatCameWithItsType) {
  EXPECT_EQ(family_of("x_bucket", MetricType::histogram), "x");
  EXPECT_EQ(family_of("x_count", MetricType::summary), "x");
  EXPECT_EQ(family_of("x", MetricType::summary), "x");
  EXPECT_EQ(family_of("x_total", MetricType::counter), "x_total");
  EXPECT_EQ(family_of("x_count", MetricType::gauge), "x_count");
}

TEST(ValueKind, TellsCountersFromGauges) {
  EXPECT_EQ(value_kind("requests_total", MetricType::counter), ValueKind::cumulative);
  EXPECT_EQ(value_kind("requests", MetricType::counter), ValueKind::cumulative);
  EXPECT_EQ(value_kind("requests_created", MetricType::counter), ValueKind::gauge);
  EXPECT_EQ(value_kind("x_bucket", MetricType::histogram), ValueKind::cumulative);
  EXPECT_EQ(value_kind("x_sum", MetricType::summary), ValueKind::cumulative);
  EXPECT_EQ(value_kind("x", MetricType::summary), ValueKind::gauge) << "a quantile";
  EXPECT_EQ(value_kind("x_bucket", MetricType::gauge_histogram), ValueKind::gauge);
  EXPECT_EQ(value_kind("x_total", MetricType::gauge), ValueKind::gauge);
  EXPECT_EQ(value_kind("x", MetricType::unknown), ValueKind::unknown);
}

TEST(CounterName, IsKnownByItsEnding) {
  for (const char* name :
       {"http_requests_total", "rpc_seconds_sum", "rpc_seconds_count", "rpc_seconds_bucket"}) {
    EXPECT_TRUE(is_counter_name(name)) << name;
  }
  for (const char* name : {"process_open_fds", "total", "_total", "accounting", "totals", ""}) {
    EXPECT_FALSE(is_counter_name(name)) << name;
  }
}

TEST(StaleMarker, IsOneNanOnly) {
  EXPECT_TRUE(is_stale_marker(std::bit_cast<double>(0x7FF0000000000002ULL)));
  EXPECT_FALSE(is_stale_marker(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(is_stale_marker(0));
}

}  // namespace
}  // namespace sensus::model
