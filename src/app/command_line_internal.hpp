#pragma once

#include "sensus/app/application.hpp"

#include <optional>

namespace sensus::app {

struct ParsedCommandLine {
  CommandLine options;
  std::optional<int> exit_code;  ///< Set when there is nothing to run: help, version, or wrong flags (already printed).
};
[[nodiscard]] ParsedCommandLine parse_command_line(int argc, char** argv);

/// "0.1.0", from the build.
extern const char* const kVersion;

}  // namespace sensus::app
