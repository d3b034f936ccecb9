#pragma once

#include "sensus/core/result.hpp"
#include "sensus/ml/gates.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sensus::app {

struct BacktestOptions {
  std::string input = {};
  std::string output = {};
  std::string profile = "standard";
  std::uint64_t seed = 1;
  std::size_t warmup = 60;
  double false_alerts_per_week = 0.14;
  std::string direction = "both";
  ml::Gates gates = {};  ///< Its direction comes from the text above.
  std::string plot = {};  ///< SVG, or HTML when it ends in .html; empty for none.
};

/// Reads `input` row by row and writes a row of `output` for each before it looks at the next: no
/// look-ahead. A value that is empty or not finite, and a time not later than the one before, are
/// written with score 0. `invalid_input` names the line that cannot be read.
[[nodiscard]] Result<> run_backtest(const BacktestOptions& options);

}  // namespace sensus::app
