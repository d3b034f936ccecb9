#include "timetable_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

Timestamp at(std::string_view text) { return parse_rfc3339(text).value(); }

Timetable nightly(const std::string& zone) { return Timetable::make(zone, hours{2}, hours{24}).value(); }
Timetable every_six_hours(const std::string& zone) { return Timetable::make(zone, minutes{0}, hours{6}).value(); }

TEST(Timetable, IsDueAtTheTimeOfDayOfItsZone) {
  const Timetable utc = nightly("UTC");
  EXPECT_EQ(utc.last_due(at("2026-11-20T10:00:00Z")), at("2026-11-20T02:00:00Z"));
  EXPECT_EQ(utc.next_due(at("2026-11-20T10:00:00Z")), at("2026-11-21T02:00:00Z"));
  EXPECT_EQ(utc.last_due(at("2026-11-20T02:00:00Z")), at("2026-11-20T02:00:00Z")) << "due at that very moment";
  EXPECT_EQ(utc.next_due(at("2026-11-20T02:00:00Z")), at("2026-11-21T02:00:00Z"));
  EXPECT_EQ(utc.last_due(at("2026-11-20T01:59:59.999999Z")), at("2026-11-19T02:00:00Z"));

  EXPECT_EQ(nightly("Asia/Kolkata").next_due(at("2026-11-20T10:00:00Z")), at("2026-11-20T20:30:00Z"));
  EXPECT_EQ(nightly("Pacific/Auckland").next_due(at("2026-11-20T14:00:00Z")), at("2026-11-21T13:00:00Z"));
  EXPECT_EQ(nightly("Pacific/Honolulu").last_due(at("2026-11-20T11:59:00Z")), at("2026-11-19T12:00:00Z"));
}

TEST(Timetable, ATimeThatTheClocksLeaveOutIsDueWhenTheyHaveChanged) {
  // Berlin, 29 March 2026: 02:00 CET becomes 03:00 CEST, at 01:00 UTC.
  const Timetable berlin = nightly("Europe/Berlin");
  EXPECT_EQ(berlin.next_due(at("2026-03-28T12:00:00Z")), at("2026-03-29T01:00:00Z"));
  EXPECT_EQ(berlin.next_due(at("2026-03-29T01:00:00Z")), at("2026-03-30T00:00:00Z"));
  EXPECT_EQ(berlin.last_due(at("2026-03-29T00:59:00Z")), at("2026-03-28T01:00:00Z"));
  const Timetable half_past = Timetable::make("Europe/Berlin", minutes{150}, hours{24}).value();
  EXPECT_EQ(half_past.next_due(at("2026-03-28T12:00:00Z")), at("2026-03-29T01:00:00Z"));
}

TEST(Timetable, ATimeThatTheClocksBringTwiceIsDueOnce) {
  // Berlin, 25 October 2026: 03:00 CEST becomes 02:00 CET, at 01:00 UTC. 02:00 is at 00:00 and again at 01:00 UTC.
  const Timetable berlin = nightly("Europe/Berlin");
  EXPECT_EQ(berlin.next_due(at("2026-10-24T12:00:00Z")), at("2026-10-25T00:00:00Z"));
  EXPECT_EQ(berlin.next_due(at("2026-10-25T00:00:00Z")), at("2026-10-26T01:00:00Z"));
  EXPECT_EQ(berlin.last_due(at("2026-10-25T01:30:00Z")), at("2026-10-25T00:00:00Z"));
}

TEST(Timetable, SeveralTimesADayStayOnTheLocalClockAcrossAChange) {
  const Timetable york = every_six_hours("America/New_York");
  // 8 March 2026: clocks go forward at 07:00 UTC.
  EXPECT_EQ(york.next_due(at("2026-03-08T00:00:00Z")), at("2026-03-08T05:00:00Z"));
  EXPECT_EQ(york.next_due(at("2026-03-08T05:00:00Z")), at("2026-03-08T10:00:00Z"));
  EXPECT_EQ(york.next_due(at("2026-03-08T10:00:00Z")), at("2026-03-08T16:00:00Z"));
  // 1 November 2026: clocks go back at 06:00 UTC.
  EXPECT_EQ(york.next_due(at("2026-11-01T04:00:00Z")), at("2026-11-01T11:00:00Z"));
}

TEST(Timetable, AYearOfNightsIsOneRunADayWhateverTheClocksDo) {
  for (const std::string zone : {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo"}) {
    const Timetable table = nightly(zone);
    Timestamp now = at("2026-01-01T00:00:00Z");
    int runs = 0;
    while (now < at("2027-01-01T00:00:00Z")) {
      const Timestamp next = table.next_due(now);
      EXPECT_GE(next - now, runs == 0 ? hours{0} : hours{23}) << zone;
      EXPECT_LE(next - now, hours{25}) << zone;
      EXPECT_EQ(table.last_due(next), next) << zone;
      now = next;
      ++runs;
    }
    EXPECT_NEAR(runs, 365, 1) << zone;
  }
}

TEST(Timetable, RefusesWhatIsNoZoneOrNoTime) {
  const auto moon = Timetable::make("Moon/Tranquility", hours{2}, hours{24});
  ASSERT_FALSE(moon.has_value());
  EXPECT_EQ(moon.error().code, Errc::invalid_input);
  EXPECT_NE(moon.error().message.find("Moon/Tranquility"), std::string::npos);
  EXPECT_FALSE(Timetable::make("", hours{2}, hours{24}).has_value());
  EXPECT_FALSE(Timetable::make("../../etc/passwd", hours{2}, hours{24}).has_value());
  EXPECT_FALSE(Timetable::make("UTC", hours{24}, hours{24}).has_value());
  EXPECT_FALSE(Timetable::make("UTC", minutes{-1}, hours{24}).has_value());
  EXPECT_FALSE(Timetable::make("UTC", hours{2}, minutes{0}).has_value());
}

TEST(TimeOfDay, IsHoursAndMinutes) {
  EXPECT_EQ(parse_time_of_day("02:00").value(), minutes{120});
  EXPECT_EQ(parse_time_of_day("23:59").value(), minutes{1439});
  for (const std::string_view bad : {"", "2:00", "24:00", "12:60", "02-00", "02:0x", "+2:00", "02:00 "}) {
    EXPECT_FALSE(parse_time_of_day(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace sensus::analysis
