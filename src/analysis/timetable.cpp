#include "timetable_internal.hpp"

#include "sensus/core/assert.hpp"

#include <date/tz.h>

#include <algorithm>
#include <exception>
#include <vector>

namespace sensus::analysis {
namespace {

constexpr std::chrono::minutes kDay{24 * 60};

Timestamp to_utc(const date::time_zone& zone, date::local_seconds local) {
  const date::local_info info = zone.get_info(local);
  if (info.result == date::local_info::nonexistent) {
    return Timestamp{info.first.end.time_since_epoch()};
  }
  return Timestamp{local.time_since_epoch() - info.first.offset};
}

/// The due times of the local days around `now`, in order.
std::vector<Timestamp> around(const date::time_zone& zone, std::chrono::minutes first, std::chrono::minutes interval, Timestamp now) {
  const date::sys_seconds utc{std::chrono::floor<std::chrono::seconds>(now.time_since_epoch())};
  const auto today = date::floor<date::days>(zone.to_local(utc));
  std::vector<Timestamp> due;
  for (int day = -1; day <= 1; ++day) {
    for (std::chrono::minutes at = first; at < kDay; at += interval) {
      due.push_back(to_utc(zone, today + date::days{day} + at));
    }
  }
  std::ranges::sort(due);
  return due;
}

}  // namespace

Result<Timetable> Timetable::make(const std::string& zone, std::chrono::minutes first, std::chrono::minutes interval) {
  if (first < std::chrono::minutes{0} || first >= kDay || interval < std::chrono::minutes{1}) {
    return make_error(Errc::invalid_input, "a timetable begins within a day and goes on in whole minutes");
  }
  Timetable table;
  try {
    table.zone_ = date::locate_zone(zone);
  } catch (const std::exception&) {
    return make_error(Errc::invalid_input,
                      "there is no time zone '" + zone + "'; names are those of /usr/share/zoneinfo, such as Europe/Berlin or UTC");
  }
  table.first_ = first;
  table.interval_ = interval;
  return table;
}

Timestamp Timetable::last_due(Timestamp now) const {
  const std::vector<Timestamp> due = around(*zone_, first_, interval_, now);
  const auto later = std::ranges::upper_bound(due, now);
  SENSUS_ASSERT(later != due.begin());
  return *std::prev(later);
}

Timestamp Timetable::next_due(Timestamp now) const {
  const std::vector<Timestamp> due = around(*zone_, first_, interval_, now);
  const auto later = std::ranges::upper_bound(due, now);
  SENSUS_ASSERT(later != due.end());
  return *later;
}

Result<std::chrono::minutes> parse_time_of_day(std::string_view text) {
  const auto digit = [text](std::size_t i) { return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : 99; };
  if (text.size() == 5 && text[2] == ':') {
    const int hours = digit(0) * 10 + digit(1);
    const int minutes = digit(3) * 10 + digit(4);
    if (hours < 24 && minutes < 60) {
      return std::chrono::minutes{hours * 60 + minutes};
    }
  }
  return make_error(Errc::invalid_input, "'" + std::string(text) + "' is no time of day such as 02:00");
}

}  // namespace sensus::analysis
