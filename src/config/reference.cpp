#include "document_internal.hpp"

#include "sensus/config/reader.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace sensus::config {
namespace {

constexpr std::size_t kColumns = 100;

/// Whole words, each line behind `prefix`.
std::string wrap(std::string_view text, std::string_view prefix) {
  std::string out;
  std::string line(prefix);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.size() + 1 + word.size() > kColumns && line.size() > prefix.size()) {
      out += line + "\n";
      line = prefix;
    }
    line += line.size() > prefix.size() ? " " : "";
    line += word;
  }
  return out + line + "\n";
}

std::string facts(const Field& field) {
  std::string out = "(" + field.type;
  if (field.required) {
    out += ", required";
  }
  if (!field.allowed.empty()) {
    out += ", " + field.allowed;
  }
  if (field.secret) {
    out += "; or " + field.key + "_file: the path of a file that holds it";
  }
  if (field.reloadable) {
    out += "; applied by SIGHUP and /-/reload";
  }
  return out + ")";
}

/// For a cell of a table.
std::string escape_cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') {
      out += '\\';
    }
    out += c;
  }
  return out;
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + escape_cell(text) + "`"; }

std::string table_row(const std::string& key, const Field& field) {
  return "| `" + key + "` | " + escape_cell(field.type) + " | " + escape_cell(field.allowed) + " | " +
         (field.required ? "required" : code(field.default_text)) + " | " + (field.reloadable ? "yes" : "") + " | " +
         escape_cell(field.help) + " |\n";
}

/// Words that YAML reads as something else than text.
bool is_reserved_word(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower == "null" || lower == "~" || lower == "true" || lower == "false" || lower == "yes" || lower == "no" ||
         lower == "on" || lower == "off";
}

bool is_plain_scalar(std::string_view text) {
  if (text.empty() || is_reserved_word(text)) {
    return false;
  }
  const auto safe_first = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '_' || c == '.'; };
  const auto safe = [&](char c) { return safe_first(c) || c == '-' || c == '='; };
  return safe_first(text.front()) && std::all_of(text.begin(), text.end(), safe);
}

}  // namespace

std::string render_scalar(std::string_view text) {
  if (is_plain_scalar(text)) {
    return std::string(text);
  }
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      out += buffer;
    } else if (text.substr(i).starts_with("${")) {
      out += "$$";  // Read back through the expansion of ${NAME}.
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string render_reference_yaml(const std::vector<Section>& sections) {
  std::string out =
      "# Every key of sensusd with its default value. A file needs only the keys that differ.\n"
      "# Text may hold ${NAME} or ${NAME:-default} for environment variables.\n"
      "# Made by `sensusd --print-reference-config`; see docs/configuration.md.\n";
  for (const Section& section : sections) {
    out += "\n" + wrap(section.help(), "# ") + section.name() + ":\n";
    for (const Field& field : section.fields()) {
      out += wrap(field.help + " " + facts(field), "  # ");
      for (const Field& key : field.row_fields) {
        out += wrap("- " + key.key + ": " + key.help + " " + facts(key), "  #  ");
      }
      out += "  " + field.key + ": " + field.default_text + "\n";
    }
  }
  return out;
}

std::string render_reference_markdown(const std::vector<Section>& sections) {
  std::string out =
      "# Configuration\n\n"
      "Made by `sensusd --print-reference-docs` from the declarations in the code; a test keeps this page equal to them.\n\n"
      "`sensusd --config FILE` reads one YAML file. It is strict: every mistake is reported at once as\n"
      "`file:line:col: key: what is wrong, what is allowed`, and an unknown key is a mistake. `sensusd --check-config` only checks;\n"
      "`--print-config` shows the values in force with secrets masked. Durations are written `250ms`, `15s`, `5m`, `2h`, `30d`,\n"
      "`1h30m`; sizes `512KiB`, `64MiB`, `1GiB`. `${NAME}` and `${NAME:-default}` stand for environment variables, `$${` for a literal\n"
      "`${`. A secret can be given as `<key>_file`, the path of a file that holds it. Keys marked *reload* are applied by SIGHUP and\n"
      "`POST /-/reload`; the others need a restart. YAML anchors, aliases and tags are refused.\n";
  for (const Section& section : sections) {
    out += "\n## " + section.name() + "\n\n" + section.help() + "\n\n";
    out += "| key | type | allowed | default | reload | meaning |\n|---|---|---|---|---|---|\n";
    for (const Field& field : section.fields()) {
      out += table_row(field.key, field);
      for (const Field& key : field.row_fields) {
        out += table_row(field.key + "[]." + key.key, key);
      }
    }
  }
  return out;
}

std::string render_current_yaml(const std::vector<Section>& sections) {
  std::string out;
  for (const Section& section : sections) {
    out += (out.empty() ? "" : "\n") + section.name() + ":\n";
    for (const Field& field : section.fields()) {
      out += "  " + field.key + ": " + field.get() + "\n";
    }
  }
  return out;
}

}  // namespace sensus::config
