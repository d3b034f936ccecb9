#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

namespace sensus::ml {

enum class Direction : std::uint8_t { both, above, below };
[[nodiscard]] std::string_view name_of(Direction direction);
[[nodiscard]] std::optional<Direction> parse_direction(std::string_view name);

/// What an operator knows of a series and the detector cannot: applied to verdicts, never to
/// learning. Flat lines and gaps have no deviation: only `is_muted` and `warmup` hold them back.
struct Gates {
  Direction direction = Direction::both;  ///< Of the value against the expected one.
  double deviation_min = 0;               ///< |value - expected| in the series' unit.
  double deviation_relative_min = 0;      ///< The same as a part of |expected|.
  double value_min = -std::numeric_limits<double>::infinity();  ///< Values within these two alone
                                                                ///< can be anomalies.
  double value_max = std::numeric_limits<double>::infinity();
  std::size_t warmup = 0;  ///< Points before the first anomaly, if more than the detector's own.
  bool is_muted = false;   ///< Score and learn, never an anomaly.
  /// Days since 1970-01-01 (in `utc_offset`) whose week profile is that of a Sunday.
  std::vector<std::int64_t> holidays = {};
  /// Where days and weeks begin.
  std::chrono::seconds utc_offset{0};
};

/// Whether an anomaly with this value and expectation may be reported.
[[nodiscard]] bool lets_pass(const Gates& gates, double value, double expected);

}  // namespace sensus::ml
