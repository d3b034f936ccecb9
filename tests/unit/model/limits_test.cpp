#include "sensus/model/limits.hpp"

#include <gtest/gtest.h>

namespace sensus::model {
namespace {

const Timestamp kNow = parse_rfc3339("2026-06-01T12:00:00Z").value();

Labels some_labels(std::size_t count) {
  Labels out;
  for (std::size_t i = 0; i < count; ++i) {
    out.set("l" + std::to_string(i), "v");
  }
  return out;
}

TEST(Limits, LabelCountAtTheLimitAndOneMore) {
  const InputLimits limits;
  EXPECT_TRUE(check_labels(some_labels(limits.label_count_max), limits, "labels"));
  const auto over = check_labels(some_labels(limits.label_count_max + 1), limits, "metrics[3].labels");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Errc::invalid_input);
  EXPECT_EQ(over.error().field, "metrics[3].labels");
  EXPECT_NE(over.error().message.find("at most 64"), std::string::npos) << over.error().message;
}

TEST(Limits, LabelNameAndValueAtTheLimitAndOneMore) {
  const InputLimits limits;
  const std::string name(limits.label_name_bytes_max, 'n');
  const std::string value(limits.label_value_bytes_max, 'v');
  EXPECT_TRUE(check_labels({{name, value}}, limits, "labels"));
  EXPECT_FALSE(check_labels({{name + "n", value}}, limits, "labels"));
  const auto over = check_labels({{"host", value + "v"}}, limits, "labels");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().field, "labels.host");
  EXPECT_NE(over.error().message.find("4097 bytes, at most 4096"), std::string::npos) << over.error().message;
}

TEST(Limits, AnnotationsMayBeLonger) {
  const InputLimits limits;
  const std::string value(limits.annotation_value_bytes_max, 'v');
  EXPECT_TRUE(check_annotations({{"description", value}}, limits, "annotations"));
  EXPECT_FALSE(check_annotations({{"description", value + "v"}}, limits, "annotations"));
}

TEST(Limits, NamesAreNotEmptyAndTextIsUtf8WithoutNul) {
  const InputLimits limits;
  EXPECT_FALSE(check_labels({{"", "v"}}, limits, "labels"));
  EXPECT_FALSE(check_labels({{"a", std::string("x\0y", 3)}}, limits, "labels"));
  EXPECT_FALSE(check_labels({{"a", "\xED\xA0\x80"}}, limits, "labels"));
  EXPECT_FALSE(check_labels({{"\xFF", "v"}}, limits, "labels"));
  EXPECT_TRUE(check_labels({{"größe", "zwölf"}, {"empty", ""}}, limits, "labels"));
}

TEST(Limits, LongNamesAreCutInTheFieldBetweenCharacters) {
  InputLimits limits;
  std::string name(63, 'n');
  name += "ö and some more";
  const auto over = check_labels({{name, std::string(5000, 'v')}}, limits, "labels");
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().field, "labels." + std::string(63, 'n') + "...");
}

TEST(Limits, MetricName) {
  const InputLimits limits;
  EXPECT_TRUE(check_metric_name(std::string(limits.metric_name_bytes_max, 'm'), limits, "metric_name"));
  EXPECT_FALSE(check_metric_name(std::string(limits.metric_name_bytes_max + 1, 'm'), limits, "metric_name"));
  EXPECT_FALSE(check_metric_name("", limits, "metric_name"));
  EXPECT_FALSE(check_metric_name(std::string_view("a\0b", 3), limits, "metric_name"));
}

TEST(Limits, TimestampWindowAtBothEdges) {
  const InputLimits limits;
  const auto us = std::chrono::microseconds{1};
  EXPECT_TRUE(check_timestamp(kNow - limits.past_window, kNow, limits, "t"));
  EXPECT_TRUE(check_timestamp(kNow + limits.future_window, kNow, limits, "t"));
  EXPECT_FALSE(check_timestamp(kNow - limits.past_window - us, kNow, limits, "t"));
  const auto late = check_timestamp(kNow + limits.future_window + us, kNow, limits, "metrics[1].timestamp");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().field, "metrics[1].timestamp");
  EXPECT_NE(late.error().message.find("2026-06-01T12:10:00Z"), std::string::npos) << late.error().message;
}

TEST(Limits, FarTimesAreRefusedWithoutOverflow) {
  const InputLimits limits;
  EXPECT_FALSE(check_timestamp(Timestamp::min(), kNow, limits, "t"));
  EXPECT_FALSE(check_timestamp(Timestamp::max(), kNow, limits, "t"));
}

}  // namespace
}  // namespace sensus::model
