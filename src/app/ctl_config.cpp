#include "app_config_internal.hpp"
#include "ctl_internal.hpp"

#include <cstdio>

namespace sensus::app {
namespace {

int check_config(const CtlContext& context) {
  CommandLine options;
  options.config_file = context.config_file;
  const LoadedConfig loaded = load_config(options, config::process_environment());
  const auto* mistakes = std::get_if<std::vector<std::string>>(&loaded);
  if (mistakes == nullptr) {
    std::fprintf(stderr, "the configuration is fine\n");
    return 0;
  }
  for (const std::string& mistake : *mistakes) {
    std::fprintf(stderr, "%s\n", mistake.c_str());
  }
  return 1;
}

}  // namespace

void declare_config_verbs(CLI::App& cli, CtlContext& context) {
  CLI::App* noun = cli.add_subcommand("config", "The daemon's configuration");
  noun->require_subcommand(1);
  CLI::App* check = noun->add_subcommand("check", "Check the file named by --config; every mistake is a line on stderr");
  check->callback([&context] { context.exit_code = check_config(context); });
}

}  // namespace sensus::app
