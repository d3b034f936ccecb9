#pragma once

#include "backtest_plot_internal.hpp"

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"
#include "sensus/ml/detector.hpp"
#include "sensus/ml/gates.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
  // What is stored, instead of `input`: see run_stored_backtest.
  std::string series = {};
  std::string from = {};
  std::string to = {};
  std::string step = "1m";
};

/// The columns of every OUT; one of many series has a column `series` before them.
inline constexpr std::string_view kBacktestColumns = "timestamp,value,anomaly_score,alert,kind,alerting";

/// Reads `input` row by row and writes a row of `output` for each before it looks at the next: no
/// look-ahead. A value that is empty or not finite, and a time not later than the one before, are
/// written with score 0. `invalid_input` names the line that cannot be read.
[[nodiscard]] Result<> run_backtest(const BacktestOptions& options);

/// With profile, seed and gates of the options. `invalid_input` names the flag that is wrong.
[[nodiscard]] Result<std::unique_ptr<ml::Detector>> make_backtest_detector(const BacktestOptions& options);
/// RFC 3339, "YYYY-MM-DD[ HH:MM[:SS[.f]]]" (UTC), or seconds since 1970; numbers from 10^11 on are milliseconds.
[[nodiscard]] std::optional<Timestamp> parse_backtest_time(std::string_view text);
/// A row of OUT with its end of line.
[[nodiscard]] std::string render_backtest_row(std::string_view time, std::string_view value, const ml::Verdict& verdict);
/// HTML where the file's name ends in .html, else SVG.
[[nodiscard]] Result<> write_backtest_plots(const std::vector<TitledPlot>& plots, const std::string& file);

}  // namespace sensus::app
