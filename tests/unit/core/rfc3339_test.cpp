#include "sensus/core/time.hpp"

#include <gtest/gtest.h>

namespace sensus {
namespace {

std::int64_t us(std::string_view text) {
  const auto result = parse_rfc3339(text);
  EXPECT_TRUE(result) << text;
  return result ? to_unix_us(*result) : -1;
}

TEST(Rfc3339, ParsesTheForms) {
  constexpr std::int64_t kBase = 1'780'315'200'000'000;  // 2026-06-01T12:00:00Z, as `date -u +%s` says.
  EXPECT_EQ(us("2026-06-01T12:00:00Z"), kBase);
  EXPECT_EQ(us("2026-06-01t12:00:00z"), kBase);
  EXPECT_EQ(us("2026-06-01 12:00:00Z"), kBase);
  EXPECT_EQ(us("2026-06-01T14:00:00+02:00"), kBase);
  EXPECT_EQ(us("2026-06-01T06:30:00-05:30"), kBase);
  EXPECT_EQ(us("2026-06-01T12:00:00.5Z"), kBase + 500'000);
  EXPECT_EQ(us("2026-06-01T12:00:00.000001Z"), kBase + 1);
  EXPECT_EQ(us("2026-06-01T12:00:00.123456789Z"), kBase + 123'456) << "truncated, not rounded";
  EXPECT_EQ(us("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(us("1969-12-31T23:59:59.999999Z"), -1);
}

TEST(Rfc3339, CalendarEdges) {
  EXPECT_EQ(us("2016-12-31T23:59:60Z"), us("2017-01-01T00:00:00Z"));
  EXPECT_EQ(us("2024-02-29T00:00:00Z") + 86'400'000'000, us("2024-03-01T00:00:00Z"));
  EXPECT_TRUE(parse_rfc3339("0001-01-01T00:00:00Z"));
  EXPECT_TRUE(parse_rfc3339("9999-12-31T23:59:59.999999999Z"));
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const char* text : {"", "2026-06-01", "2026-06-01T12:00Z", "2026-06-01T12:00:00", "2026-06-01T12:00:00.Z", "2026-06-01T12:00:00.1234567890Z",
                           "2026-06-01T12:00:00+0200", "2026-06-01T12:00:00+24:00", "2026-06-01T12:00:00+02:60", "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z", "2026-06-00T00:00:00Z", "2026-06-31T00:00:00Z", "2023-02-29T00:00:00Z", "0000-01-01T00:00:00Z",
                           "2026-06-01T24:00:00Z", "2026-06-01T12:60:00Z", "2026-06-01T12:00:61Z", "2026-06-01T12:00:00ZZ", " 2026-06-01T12:00:00Z",
                           "26-06-01T12:00:00Z", "+2026-06-01T12:00:00Z", "2026/06/01T12:00:00Z", "2026-06-01_12:00:00Z", "294277-01-01T00:00:00Z",
                           "2026-06-01T12:00:00\xC2\xA0Z", "now"}) {
    const auto result = parse_rfc3339(text);
    EXPECT_FALSE(result) << text;
  }
}

TEST(Rfc3339, ErrorsQuoteAShortPieceOfTheInput) {
  const auto result = parse_rfc3339(std::string(10'000, 'x'));
  ASSERT_FALSE(result);
  EXPECT_LT(result.error().message.size(), 200U);
}

TEST(Rfc3339, RendersUtcWithTheFractionItNeeds) {
  EXPECT_EQ(render_rfc3339(from_unix_us(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(render_rfc3339(from_unix_us(500'000)), "1970-01-01T00:00:00.500Z");
  EXPECT_EQ(render_rfc3339(from_unix_us(500'001)), "1970-01-01T00:00:00.500001Z");
  EXPECT_EQ(render_rfc3339(from_unix_us(-1)), "1969-12-31T23:59:59.999999Z");
}

TEST(Rfc3339, ReadsBackWhatItRenders) {
  for (const char* text : {"0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2024-02-29T12:34:56.789Z", "9999-12-31T23:59:59.999999Z"}) {
    EXPECT_EQ(render_rfc3339(parse_rfc3339(text).value()), text);
  }
}

}  // namespace
}  // namespace sensus
