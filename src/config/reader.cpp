#include "sensus/config/reader.hpp"

#include "document_internal.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

namespace sensus::config {
namespace {

constexpr std::size_t kSecretBytesMax = 64 * 1024;

std::string list_names(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    out += out.empty() ? name : ", " + name;
  }
  return out;
}

std::string unknown(std::string_view what, std::string_view name, const std::vector<std::string>& allowed) {
  std::string message = "unknown " + std::string(what);
  const std::string nearest = find_nearest(name, allowed);
  return nearest.empty() ? message + ": allowed is " + list_names(allowed) : message + ": did you mean '" + nearest + "'?";
}

class Reader {
 public:
  Reader(std::vector<Section>& sections, const Environment& env) : sections_(sections), env_(env) {}

  std::vector<Problem> read(std::string_view text) {
    Document document = parse_document(text);
    if (!document.problems.empty()) {
      return std::move(document.problems);
    }
    const Node& root = document.root;
    if (root.kind == Node::Kind::map) {
      read_root(root);
    } else if (root.kind != Node::Kind::null) {
      add(root, "", "expected sections, e.g. 'server:'");
    }
    return std::move(problems_);
  }

 private:
  void add(const Node& at, std::string key, std::string message) {
    problems_.push_back(Problem{at.line, at.column, std::move(key), std::move(message)});
  }

  /// False, with a problem, for a key that is not a plain word or was there before.
  bool check_key(const Node& key, const std::string& path, std::set<std::string>& seen) {
    if (key.kind != Node::Kind::scalar) {
      add(key, path, "a key must be a plain word");
      return false;
    }
    if (!seen.insert(key.scalar).second) {
      add(key, path, "given twice: keep one");
      return false;
    }
    return true;
  }

  void read_root(const Node& root) {
    std::vector<std::string> names;
    for (const Section& section : sections_) {
      names.push_back(section.name());
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i + 1 < root.items.size(); i += 2) {
      const Node& key = root.items[i];
      if (!check_key(key, key.scalar, seen)) {
        continue;
      }
      const auto section = std::find(names.begin(), names.end(), key.scalar);
      if (section == names.end()) {
        add(key, key.scalar, unknown("section", key.scalar, names));
        continue;
      }
      read_section(sections_[static_cast<std::size_t>(section - names.begin())], root.items[i + 1]);
    }
  }

  void read_section(Section& section, const Node& node) {
    if (node.kind == Node::Kind::null) {
      return;  // Every key commented out.
    }
    if (node.kind != Node::Kind::map) {
      add(node, section.name(), "expected keys below the section");
      return;
    }
    std::vector<std::string> names;
    for (const Field& field : section.fields()) {
      names.push_back(field.key);
      if (field.secret) {
        names.push_back(field.key + "_file");
      }
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      const Node& key = node.items[i];
      const std::string path = section.name() + "." + key.scalar;
      if (check_key(key, path, seen)) {
        read_key(section, key, node.items[i + 1], names);
      }
    }
    for (const Field& field : section.fields()) {
      if (field.required && !seen.contains(field.key)) {
        add(node, section.name() + "." + field.key, "is missing: give it a value (" + field.type + ")");
      }
      if (field.secret && seen.contains(field.key) && seen.contains(field.key + "_file")) {
        add(node, section.name() + "." + field.key, "given directly and by " + field.key + "_file: keep one");
      }
    }
  }

  void read_key(Section& section, const Node& key, const Node& value, const std::vector<std::string>& names) {
    const std::string path = section.name() + "." + key.scalar;
    for (Field& field : section.fields()) {
      if (field.key == key.scalar) {
        set_field(field, path, value);
        return;
      }
      if (field.secret && field.key + "_file" == key.scalar) {
        set_from_file(field, path, value);
        return;
      }
    }
    add(key, path, unknown("key", key.scalar, names));
  }

  /// nullopt, with a problem, when there is no usable text.
  std::optional<std::string> scalar_of(const std::string& path, const std::string& type, const Node& value) {
    if (value.kind == Node::Kind::null) {
      add(value, path, "has no value: expected " + type + "; remove the key to get the default");
      return std::nullopt;
    }
    if (value.kind != Node::Kind::scalar) {
      add(value, path, "expected one value (" + type + "), not a list or map");
      return std::nullopt;
    }
    auto expanded = expand_environment(value.scalar, env_);
    if (!expanded) {
      add(value, path, expanded.error().message);
      return std::nullopt;
    }
    return std::move(*expanded);
  }

  void set_scalar(Field& field, const std::string& path, const Node& value) {
    if (const auto text = scalar_of(path, field.type, value)) {
      if (const auto set = field.set(*text); !set) {
        add(value, path, set.error().message);
      }
    }
  }

  void set_from_file(Field& field, const std::string& path, const Node& value) {
    const auto file = scalar_of(path, "the path of a file", value);
    if (!file) {
      return;
    }
    const auto content = read_secret_file(*file);
    if (!content) {
      add(value, path, content.error().message);
      return;
    }
    if (const auto set = field.set(*content); !set) {
      add(value, path, set.error().message);
    } else if (field.note_file) {
      field.note_file(*file);
    }
  }

  void set_field(Field& field, const std::string& path, const Node& value) {
    if (field.add_row) {
      set_rows(field, path, value);
    } else if (field.set_list) {
      set_list(field, path, value);
    } else {
      set_scalar(field, path, value);
    }
  }

  void set_rows(Field& field, const std::string& path, const Node& value) {
    if (value.kind != Node::Kind::list) {
      add(value, path, "expected a list of maps: a line '- key: value' for each");
      return;
    }
    if (value.items.size() > kRowsMax) {
      add(value, path, std::to_string(value.items.size()) + " are too many: allowed is " + field.allowed);
      return;
    }
    field.clear_rows();
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      const Node& item = value.items[i];
      Section row = field.add_row(path + "[" + std::to_string(i) + "]");
      if (item.kind == Node::Kind::map) {
        read_section(row, item);
      } else {
        add(item, row.name(), "expected a map, e.g. '" + row.fields().front().key + ": ...'");
      }
    }
  }

  void set_list(Field& field, const std::string& path, const Node& value) {
    if (value.kind != Node::Kind::list) {
      add(value, path, "expected a list, e.g. [one, two]");
      return;
    }
    std::vector<std::string> items;
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      if (auto text = scalar_of(path + "[" + std::to_string(i) + "]", "string", value.items[i])) {
        items.push_back(std::move(*text));
      }
    }
    if (items.size() < value.items.size()) {
      return;
    }
    if (const auto set = field.set_list(items); !set) {
      add(value, path, set.error().message);
    }
  }

  std::vector<Section>& sections_;
  const Environment& env_;
  std::vector<Problem> problems_;
};

}  // namespace

Result<std::string> read_secret_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return make_error(Errc::invalid_input, "cannot read '" + path + "': check that it exists and may be read by this user");
  }
  std::string content(kSecretBytesMax + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  if (content.size() > kSecretBytesMax) {
    return make_error(Errc::invalid_input, "'" + path + "' is larger than 64KiB");
  }
  if (content.ends_with('\n')) {
    content.pop_back();
    if (content.ends_with('\r')) {
      content.pop_back();
    }
  }
  return content;
}

std::string render(const Problem& problem, std::string_view file) {
  std::string out(file);
  if (problem.line > 0) {
    out += ":" + std::to_string(problem.line) + ":" + std::to_string(problem.column);
  }
  if (!problem.key.empty()) {
    out += ": " + problem.key;
  }
  return out + ": " + problem.message;
}

std::vector<Problem> read_yaml(std::string_view text, std::vector<Section>& sections, const Environment& env) {
  return Reader(sections, env).read(text);
}

}  // namespace sensus::config
