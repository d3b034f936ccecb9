#include "command_line_internal.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace sensus::app {
namespace {

constexpr int kWrongFlags = 2;

void declare(CLI::App& cli, CommandLine& options) {
  cli.add_option("--config,--config.file", options.config_file, "YAML configuration; without it the defaults hold")->type_name("FILE");
  cli.add_option("--embedded", options.embedded_dir, "Run a private PostgreSQL and Redis that live in this directory")->type_name("DIR");
  cli.add_option("--listen", options.listen, "Listen here instead of server.listen; port 0 takes a free one")->type_name("HOST:PORT");
  cli.add_option("--log-level", options.log_level, "Instead of log.level")
      ->check(CLI::IsMember({"debug", "info", "warning", "error", "critical"}))
      ->type_name("LEVEL");
  cli.add_option("--log-format", options.log_format, "Instead of log.format")
      ->check(CLI::IsMember({"auto", "json", "text"}))
      ->type_name("FORMAT");
  cli.add_option("--ready-file", options.ready_file, "Write the bound addresses there, as JSON, once listening")->type_name("FILE");
  cli.add_flag("--check-config", options.check_config, "Check the configuration and exit");
  cli.add_flag("--print-config", options.print_config, "Print the values in force, secrets masked, and exit");
  cli.add_flag("--print-reference-config", options.print_reference_config, "Print every key with its default and exit");
  cli.add_flag("--print-reference-docs", options.print_reference_docs, "Print docs/configuration.md and exit");
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, char** argv) {
  ParsedCommandLine parsed;
  CLI::App cli("Sensus: receives metrics and alerts, keeps them in PostgreSQL, finds anomalies and root causes.", "sensusd");
  cli.set_version_flag("--version", std::string("sensusd ") + kVersion);
  declare(cli, parsed.options);
  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = cli.exit(error) == 0 ? 0 : kWrongFlags;
  }
  return parsed;
}

}  // namespace sensus::app
