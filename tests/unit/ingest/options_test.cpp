#include "sensus/config/section.hpp"
#include "sensus/ingest/ingestor.hpp"

#include <gtest/gtest.h>

namespace sensus::ingest {
namespace {

TEST(IngestOptions, EveryKeyIsDeclaredWithHelpAndADefaultWithinItsBounds) {
  Options options;
  config::Section section("ingest", "x");
  describe(section, options);
  EXPECT_EQ(section.fields().size(), 10U);
  for (const config::Field& field : section.fields()) {
    EXPECT_FALSE(field.help.empty()) << field.key;
    EXPECT_TRUE(field.set(field.default_text)) << field.key << " refuses its own default " << field.default_text;
  }
}

}  // namespace
}  // namespace sensus::ingest
