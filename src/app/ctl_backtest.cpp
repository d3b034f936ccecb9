#include "backtest_internal.hpp"
#include "ctl_internal.hpp"

#include "sensus/ml/detector.hpp"

#include <cstdio>
#include <memory>

namespace sensus::app {

void declare_backtest_verbs(CLI::App& cli, CtlContext& context) {
  const auto options = std::make_shared<BacktestOptions>();
  CLI::App* verb = cli.add_subcommand(
      "backtest", "Run the anomaly detector over recorded points, as if they came one by one");
  verb->add_option("--input", options->input, "CSV with a header and the columns timestamp,value")
      ->required()
      ->type_name("IN.csv");
  verb->add_option("--output", options->output, "CSV to write, a row for each row of the input")
      ->required()
      ->type_name("OUT.csv");
  verb->add_option("--profile", options->profile, "compact, standard or thorough")
      ->default_val("standard");
  verb->add_option("--seed", options->seed, "Of the detector's random choices")->default_val(1);
  verb->add_option("--plot", options->plot, "Draw series, band and anomalies into this file, .svg or .html")
      ->type_name("OUT.svg");
  verb->callback([&context, options] {
    const Result<> done = run_backtest(*options);
    if (!done) {
      std::fprintf(stderr, "%s\n", done.error().message.c_str());
      context.exit_code = 1;
    }
  });
}

}  // namespace sensus::app
