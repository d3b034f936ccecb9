#include "app_config_internal.hpp"
#include "backtest_internal.hpp"
#include "ctl_internal.hpp"

#include "sensus/ml/detector.hpp"

#include <cstdio>
#include <memory>

namespace sensus::app {
namespace {

/// The warm-up of the file named by --config, if there is one; mistakes in it go to stderr.
bool take_config(CtlContext& context, std::size_t* warmup) {
  if (context.config_file.empty()) {
    return true;
  }
  CommandLine line;
  line.config_file = context.config_file;
  const LoadedConfig loaded = load_config(line, config::process_environment());
  if (const auto* mistakes = std::get_if<std::vector<std::string>>(&loaded)) {
    for (const std::string& mistake : *mistakes) {
      std::fprintf(stderr, "%s\n", mistake.c_str());
    }
    context.exit_code = 1;
    return false;
  }
  if (warmup != nullptr) {
    *warmup = static_cast<std::size_t>(std::get<AppConfig>(loaded).anomaly.warmup);
  }
  return true;
}

}  // namespace

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
  CLI::Option* warmup = verb->add_option("--warmup", options->warmup, "Points before the first verdict; without it --config's, else 60");
  verb->add_option("--false-alerts-per-week", options->false_alerts_per_week, "What the alerting tier aims at")->default_val(0.14);
  verb->add_option("--direction", options->direction, "both, above or below the expected value")->default_val("both");
  verb->add_option("--deviation-min", options->gates.deviation_min, "Least distance from the expected value");
  verb->add_option("--deviation-relative-min", options->gates.deviation_relative_min, "The same as a part of the expected value");
  verb->add_option("--value-min", options->gates.value_min, "Smaller values are no anomalies");
  verb->add_option("--value-max", options->gates.value_max, "Larger values are no anomalies");
  verb->add_option("--plot", options->plot, "Draw series, band and anomalies into this file, .svg or .html")
      ->type_name("OUT.svg");
  verb->callback([&context, options, warmup] {
    if (!take_config(context, warmup->count() > 0 ? nullptr : &options->warmup)) {
      return;
    }
    const Result<> done = run_backtest(*options);
    if (!done) {
      std::fprintf(stderr, "%s\n", done.error().message.c_str());
      context.exit_code = 1;
    }
  });
}

}  // namespace sensus::app
