#pragma once

#include "sensus/config/section.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::config {

/// One mistake, printed as `file:line:col: key: message`.
struct Problem {
  int line = 0;
  int column = 0;
  std::string key;
  std::string message;
};
[[nodiscard]] std::string render(const Problem& problem, std::string_view file);

/// The content of a secret's file without its last newline, at most 64 KiB. The message never holds the content.
[[nodiscard]] Result<std::string> read_secret_file(const std::string& path);

/// Looks up `${NAME}` and `${NAME:-default}`; nullopt = not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
[[nodiscard]] Environment process_environment();

/// Strict: reports every mistake at once; an unknown key names the nearest known one. On any problem some fields may already
/// be set: read into a fresh copy. Limits: 1 MiB, no anchors or aliases, depth 8.
[[nodiscard]] std::vector<Problem> read_yaml(std::string_view text, std::vector<Section>& sections, const Environment& env);

/// config/sensus.yaml: every key with its default, commented with help and allowed values.
[[nodiscard]] std::string render_reference_yaml(const std::vector<Section>& sections);
/// docs/configuration.md
[[nodiscard]] std::string render_reference_markdown(const std::vector<Section>& sections);
/// The values in force, secrets masked: --print-config.
[[nodiscard]] std::string render_current_yaml(const std::vector<Section>& sections);

}  // namespace sensus::config
