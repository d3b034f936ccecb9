#include "app_config_internal.hpp"
#include "backtest_internal.hpp"
#include "ctl_internal.hpp"
#include "stored_backtest_internal.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/ml/detector.hpp"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sensus::app {
namespace {

struct BacktestFlags {
  BacktestOptions options;
  bool has_warmup = false;
  std::string database;
};

/// Of --config, else the defaults; mistakes go to stderr.
std::optional<AppConfig> load(const CtlContext& context) {
  CommandLine line;
  line.config_file = context.config_file;
  LoadedConfig loaded = load_config(line, config::process_environment());
  if (const auto* mistakes = std::get_if<std::vector<std::string>>(&loaded)) {
    for (const std::string& mistake : *mistakes) {
      std::fprintf(stderr, "%s\n", mistake.c_str());
    }
    return std::nullopt;
  }
  return std::move(std::get<AppConfig>(loaded));
}

int backtest(const CtlContext& context, const BacktestFlags& flags) {
  BacktestOptions options = flags.options;
  const bool is_stored = !options.series.empty();
  pg::Options database;
  if (is_stored || !context.config_file.empty()) {
    std::optional<AppConfig> config = load(context);
    if (!config) {
      return 1;
    }
    if (!flags.has_warmup && !context.config_file.empty()) {
      options.warmup = static_cast<std::size_t>(config->anomaly.warmup);
    }
    database = std::move(config->database);
  }
  if (!flags.database.empty()) {
    database.url = flags.database;
  }
  if (is_stored && options.to.empty()) {
    options.to = render_rfc3339(SystemClock().now());
  }
  const Result<> done = is_stored ? run_stored_backtest(options, std::move(database)) : run_backtest(options);
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}

void declare_source(CLI::App& verb, BacktestFlags& flags) {
  BacktestOptions& options = flags.options;
  auto* sources = verb.add_option_group("source", "What to run over");
  sources->add_option("--input", options.input, "CSV with a header and the columns timestamp,value")->type_name("IN.csv");
  CLI::Option* series = sources->add_option("--series", options.series, "Stored series, at most 20: name{label=\"value\",...}, =~ and !~ too");
  series->type_name("SELECTOR");
  sources->require_option(1);
  CLI::Option* from = verb.add_option("--from", options.from, "First moment: RFC 3339, YYYY-MM-DD [HH:MM] (UTC) or Unix seconds");
  from->type_name("TIME")->needs(series);
  series->needs(from);
  verb.add_option("--to", options.to, "End, itself outside; without it now")->type_name("TIME")->needs(series);
  verb.add_option("--step", options.step, "Samples of such a step become one point, their mean; of counters its rate")
      ->default_val("1m")
      ->type_name("DURATION")
      ->needs(series);
  verb.add_option("--database", flags.database, "Connect there instead of to database.url")->type_name("URL")->needs(series);
}

}  // namespace

void declare_backtest_verbs(CLI::App& cli, CtlContext& context) {
  const auto flags = std::make_shared<BacktestFlags>();
  BacktestOptions* options = &flags->options;
  CLI::App* verb = cli.add_subcommand(
      "backtest", "Run the anomaly detector over recorded points or stored series, as if their points came one by one");
  declare_source(*verb, *flags);
  verb->add_option("--output", options->output, "CSV to write, a row for each point; of several series with a first column series")
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
  verb->callback([&context, flags, warmup] {
    flags->has_warmup = warmup->count() > 0;
    context.exit_code = backtest(context, *flags);
  });
}

}  // namespace sensus::app
