#pragma once

#include "sensus/config/reader.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sensus::config::test {

/// Two sections with a key of every type, and an environment of their own.
struct Fixture {
  std::vector<std::string> listen = {"127.0.0.1:8080"};
  std::chrono::milliseconds timeout{5000};
  ByteSize limit = 1_MiB;
  std::int64_t workers = 4;
  double threshold = 0.5;
  bool verbose = false;
  std::string name = "sensus";
  Secret password;
  std::string level = "info";
  std::map<std::string, std::string> variables;
  std::vector<Section> sections;

  Fixture() {
    Section server("server", "The HTTP server.");
    server.strings("listen", listen, "Addresses to listen on.")
        .duration("timeout", timeout, 100ms, 600'000ms, "How long a request may take.")
        .size("limit", limit, 1_KiB, 64_MiB, "The largest body.")
        .integer("workers", workers, 1, 64, "Threads.")
        .number("threshold", threshold, 0, 1, "Where | it begins.")
        .boolean("verbose", verbose, "More words.");
    Section access("access", "Who may do what.");
    access.string("name", name, "The name shown.")
        .secret("password", password, "The password.")
        .choice("level", level, {"debug", "info", "error"}, "What is logged.")
        .reloadable();
    sections.push_back(std::move(server));
    sections.push_back(std::move(access));
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  /// The problems, rendered with file name "f".
  std::vector<std::string> read(std::string_view text) {
    const Environment env = [this](const std::string& key) -> std::optional<std::string> {
      const auto it = variables.find(key);
      return it == variables.end() ? std::nullopt : std::optional<std::string>(it->second);
    };
    std::vector<std::string> out;
    for (const Problem& problem : read_yaml(text, sections, env)) {
      out.push_back(render(problem, "f"));
    }
    return out;
  }
};

}  // namespace sensus::config::test
