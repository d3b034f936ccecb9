#pragma once

#include "backtest_internal.hpp"

#include "sensus/ml/counter_rate.hpp"
#include "sensus/ml/detector.hpp"
#include "sensus/model/sample.hpp"
#include "sensus/pg/options.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace sensus::app {

/// The back-test of one stored series, step by step.
class SeriesBacktest {
 public:
  /// `first_field`: the column `series` with its comma, or nothing.
  SeriesBacktest(std::unique_ptr<ml::Detector> detector, std::string first_field, bool is_counter);

  /// The row of this step; empty for what is no point: the first step of a counter.
  [[nodiscard]] std::string score(const model::Sample& step);
  [[nodiscard]] const BacktestPlot& plot() const { return plot_; }
  /// "1440 steps, 3 notable, 1 alerting".
  [[nodiscard]] std::string summary() const;

 private:
  std::unique_ptr<ml::Detector> detector_;
  std::string first_field_;
  std::optional<ml::CounterRate> rate_;
  BacktestPlot plot_;
  std::size_t steps_ = 0;
  std::size_t notable_ = 0;
  std::size_t alerting_ = 0;
};

/// A field of a CSV row, in quotes where it must be.
[[nodiscard]] std::string quote_csv(const std::string& text);

/// The back-test of the stored series that `options.series` selects, from `from` to before `to`,
/// each by a detector of its own. Series are read a stretch after the other as the analysis reads
/// the past: means of the samples in a step, of counters (by metadata, else by name) their rates.
/// Nothing behind the step at hand is looked at. Blocks. **Errors/limits**: `invalid_input` for a
/// flag, for no series and for more than 20; as pg::Database.
[[nodiscard]] Result<> run_stored_backtest(const BacktestOptions& options, pg::Options database);

}  // namespace sensus::app
