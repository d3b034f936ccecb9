#pragma once

#include <CLI/App.hpp>

#include <functional>
#include <memory>
#include <string>

namespace sensus::app {

/// What every verb shares.
struct CtlContext {
  std::string config_file;  ///< --config; the defaults hold without it.
  int exit_code = 0;        ///< Set by the verb that ran.
};

/// Each declares one noun of sensusctl with its verbs as CLI11 subcommands; a verb's callback runs it and leaves its result in
/// `context.exit_code`. A new noun is a file ctl_<noun>.cpp, a line here and one in ctl.cpp.
void declare_backtest_verbs(CLI::App& cli, CtlContext& context);
void declare_config_verbs(CLI::App& cli, CtlContext& context);
void declare_storage_verbs(CLI::App& cli, CtlContext& context);

}  // namespace sensus::app
