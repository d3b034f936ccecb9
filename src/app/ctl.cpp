#include "sensus/app/ctl.hpp"

#include "command_line_internal.hpp"
#include "ctl_internal.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <csignal>
#include <cstdio>
#include <exception>

namespace sensus::app {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongFlags = 2;

}  // namespace

int run_ctl(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CtlContext context;
  CLI::App cli("The operator's tool of Sensus: checks, upkeep and trials beside the running daemon.", "sensusctl");
  cli.set_version_flag("--version", std::string("sensusctl ") + kVersion);
  cli.add_option("--config,--config.file", context.config_file, "The daemon's YAML configuration; without it the defaults hold")
      ->type_name("FILE");
  cli.require_subcommand(1);
  cli.fallthrough();  // So that --config may follow the verb.
  declare_backtest_verbs(cli, context);
  declare_config_verbs(cli, context);
  declare_storage_verbs(cli, context);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return cli.exit(error) == 0 ? 0 : kWrongFlags;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "sensusctl stopped by an unexpected failure; this is a bug, please report it: %s\n", error.what());
    return kFailed;
  }
  return context.exit_code;
}

}  // namespace sensus::app
