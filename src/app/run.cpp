#include "sensus/app/application.hpp"

#include "app_config_internal.hpp"
#include "application_internal.hpp"
#include "command_line_internal.hpp"

#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>

namespace sensus::app {
namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// What only prints; nullopt when there is something to run.
std::optional<int> run_printing_flags(const CommandLine& options) {
  if (!options.print_reference_config && !options.print_reference_docs) {
    return std::nullopt;
  }
  AppConfig defaults;
  const std::vector<config::Section> sections = defaults.sections();
  print(options.print_reference_config ? config::render_reference_yaml(sections) : config::render_reference_markdown(sections));
  return 0;
}

int run_daemon(CommandLine options, AppConfig config) {
  telemetry::LogSystem logs({config.log.parsed_level(), config.log.parsed_format()});
  int exit_code = 1;
  try {
    Application application(std::move(options), std::move(config), logs);
    exit_code = application.run();
  } catch (const std::system_error& error) {
    if (error.code() == std::errc::resource_unavailable_try_again) {
      logs.log("app").error("the machine refuses a thread; raise the limit of tasks (TasksMax of systemd, ulimit -u) and start again",
                            {{"error", error.what()}});
    } else {
      logs.log("app").error("stopped by an unexpected failure; this is a bug, please report it", {{"error", error.what()}});
    }
  } catch (const std::exception& error) {
    logs.log("app").error("stopped by an unexpected failure; this is a bug, please report it", {{"error", error.what()}});
  }
  logs.shutdown();
  return exit_code;
}

}  // namespace

int run(int argc, char** argv) {
  // Peers that go away are reported by write(2) where it is called.
  std::signal(SIGPIPE, SIG_IGN);
  ParsedCommandLine parsed = parse_command_line(argc, argv);
  if (parsed.exit_code) {
    return *parsed.exit_code;
  }
  if (const auto printed = run_printing_flags(parsed.options)) {
    return *printed;
  }
  LoadedConfig loaded = load_config(parsed.options, config::process_environment());
  if (const auto* mistakes = std::get_if<std::vector<std::string>>(&loaded)) {
    for (const std::string& mistake : *mistakes) {
      std::fprintf(stderr, "%s\n", mistake.c_str());
    }
    return 1;
  }
  AppConfig& config = std::get<AppConfig>(loaded);
  if (parsed.options.print_config) {
    print(config::render_current_yaml(config.sections()));
    return 0;
  }
  if (parsed.options.check_config) {
    std::fprintf(stderr, "the configuration is fine\n");
    return 0;
  }
  return run_daemon(std::move(parsed.options), std::move(config));
}

}  // namespace sensus::app
