#pragma once

#include <string>

namespace sensus::app {

struct CommandLine {
  std::string config_file;
  std::string embedded_dir;
  std::string listen;       ///< Overrides server.listen.
  std::string log_level;
  std::string log_format;
  std::string ready_file;   ///< Written once listening: {"listen":["127.0.0.1:8080"],"pid":...}
  bool check_config = false;
  bool print_config = false;
  bool print_reference_config = false;
  bool print_reference_docs = false;
};

/// main() of sensusd: 0 = stopped as asked, 1 = configuration or start-up failed (one sentence on stderr), 2 = bad flags.
int run(int argc, char** argv);

}  // namespace sensus::app
