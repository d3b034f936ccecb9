#include "sensus/config/section.hpp"
#include "sensus/ingest/ingestor.hpp"
#include "sensus/ingest/limits.hpp"

#include <gtest/gtest.h>

namespace sensus::ingest {
namespace {

void expect_sound(const config::Section& section) {
  EXPECT_FALSE(section.fields().empty());
  for (const config::Field& field : section.fields()) {
    EXPECT_FALSE(field.help.empty()) << field.key;
    EXPECT_TRUE(field.set(field.default_text)) << field.key << " refuses its own default " << field.default_text;
  }
}

TEST(IngestOptions, EveryKeyIsDeclaredWithHelpAndADefaultWithinItsBounds) {
  Options options;
  config::Section section("ingest", "x");
  describe(section, options);
  EXPECT_EQ(section.fields().size(), 7U);
  expect_sound(section);
}

TEST(LimitOptions, DefaultsAreThoseOfTheModel) {
  LimitOptions options;
  config::Section section("limits", "x");
  describe(section, options);
  expect_sound(section);
  const model::InputLimits made = input_limits(options);
  const model::InputLimits plain;
  EXPECT_EQ(made.label_count_max, plain.label_count_max);
  EXPECT_EQ(made.label_name_bytes_max, plain.label_name_bytes_max);
  EXPECT_EQ(made.label_value_bytes_max, plain.label_value_bytes_max);
  EXPECT_EQ(made.annotation_value_bytes_max, plain.annotation_value_bytes_max);
  EXPECT_EQ(made.metric_name_bytes_max, plain.metric_name_bytes_max);
  EXPECT_EQ(made.past_window, plain.past_window);
  EXPECT_EQ(made.future_window, plain.future_window);
}

}  // namespace
}  // namespace sensus::ingest
