#pragma once

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace date {
class time_zone;
}

namespace sensus::analysis {

/// Times of day in a time zone at which something is due: `first`, and every `interval` after it until midnight. Pure. A time that a
/// change of the clocks leaves out is due when the clocks have been changed; one that it brings twice is due the first time.
class Timetable {
 public:
  /// `invalid_input` for a zone that the system's tz database does not know, or a first time that is no time of day.
  /// `interval` of a day or more: once a day.
  [[nodiscard]] static Result<Timetable> make(const std::string& zone, std::chrono::minutes first, std::chrono::minutes interval);

  /// The latest due time that is not after `now`.
  [[nodiscard]] Timestamp last_due(Timestamp now) const;
  /// The earliest due time after `now`.
  [[nodiscard]] Timestamp next_due(Timestamp now) const;

 private:
  Timetable() = default;
  const date::time_zone* zone_ = nullptr;  ///< Lives as long as the process.
  std::chrono::minutes first_{};
  std::chrono::minutes interval_{};
};

/// "02:00" as minutes since midnight. `invalid_input` for anything else.
[[nodiscard]] Result<std::chrono::minutes> parse_time_of_day(std::string_view text);

}  // namespace sensus::analysis
