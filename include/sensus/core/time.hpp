#pragma once

#include "sensus/core/result.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sensus {

using namespace std::chrono_literals;

using Duration = std::chrono::steady_clock::duration;
/// UTC with PostgreSQL's resolution. Finer input is truncated before it is compared, hashed or stored.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

[[nodiscard]] constexpr std::int64_t to_unix_us(Timestamp t) { return t.time_since_epoch().count(); }
[[nodiscard]] constexpr Timestamp from_unix_us(std::int64_t us) { return Timestamp{std::chrono::microseconds{us}}; }

/// RFC 3339 date-time: `2026-11-20T09:11:41.123456789Z` or with an offset. `T`/`Z` in either case, a space instead of
/// `T`, 0 to 9 fraction digits (truncated to microseconds), seconds 60 read as the next minute. Years 1 to 9999.
[[nodiscard]] Result<Timestamp> parse_rfc3339(std::string_view text);

/// `2026-11-20T09:11:41.123456Z`: always UTC; three fraction digits when the microseconds end in 000, none when zero.
[[nodiscard]] std::string render_rfc3339(Timestamp t);

/// "15s", "250ms", "5m", "2h", "30d", "1h30m"; no spaces, no sign, no fraction.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);
/// The shortest text that parse_duration reads back to the same value.
[[nodiscard]] std::string render_duration(std::chrono::milliseconds d);

}  // namespace sensus
