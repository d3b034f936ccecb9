#include "sensus/core/time.hpp"

#include <gtest/gtest.h>

namespace sensus {
namespace {

TEST(Duration, ParsesUnitsAndTheirSums) {
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("15s").value(), 15s);
  EXPECT_EQ(parse_duration("5m").value(), 5min);
  EXPECT_EQ(parse_duration("2h").value(), 2h);
  EXPECT_EQ(parse_duration("30d").value(), 720h);
  EXPECT_EQ(parse_duration("1h30m").value(), 90min);
  EXPECT_EQ(parse_duration("1s500ms").value(), 1500ms);
  EXPECT_EQ(parse_duration("0").value(), 0ms);
  EXPECT_EQ(parse_duration("0s").value(), 0ms);
}

TEST(Duration, RefusesWhatIsNotADuration) {
  for (const char* text : {"", "15", "s", "-5s", "+5s", "1.5s", "5 s", " 5s", "5s ", "5S", "5sec", "1h30", "m5", "99999999999999999999s",
                           "9223372036854775807d", "9223372036855s"}) {
    const auto result = parse_duration(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Errc::invalid_input) << text;
    EXPECT_NE(result.error().message.find("15s"), std::string::npos) << "the message shows how it is written";
  }
}

TEST(Duration, RendersShortestAndReadsBack) {
  EXPECT_EQ(render_duration(0ms), "0s");
  EXPECT_EQ(render_duration(90min), "1h30m");
  EXPECT_EQ(render_duration(1500ms), "1s500ms");
  EXPECT_EQ(render_duration(720h), "30d");
  EXPECT_EQ(render_duration(-5ms), "0s");
  for (const std::int64_t ms : {1LL, 999LL, 1000LL, 61'001LL, 86'400'000LL, 123'456'789LL, 9'000'000'000'000LL}) {
    EXPECT_EQ(parse_duration(render_duration(std::chrono::milliseconds{ms})).value().count(), ms);
  }
}

}  // namespace
}  // namespace sensus
