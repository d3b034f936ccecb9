#pragma once

#include "sensus/core/byte_size.hpp"
#include "sensus/core/secret.hpp"
#include "sensus/core/time.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::config {

class Section;

/// One declared key. Parser, validation, config/sensus.yaml, docs/configuration.md and --print-config are all made from it.
struct Field {
  std::string key;
  std::string help;      ///< One or two sentences; says the unit of effect and what changes with it.
  std::string type;      ///< "duration", "size", "integer", "number", "boolean", "string", "secret", "one of a|b", "list of strings", "list of maps"
  std::string allowed;   ///< "1s to 10m", "1 to 64", ...; empty when any value of the type will do.
  std::string default_text;
  bool secret = false;
  bool reloadable = false;
  bool required = false;  ///< Of a row's key: a row without it is a mistake.
  std::function<Result<>(std::string_view scalar)> set;             ///< For scalars.
  std::function<void(const std::string& path)> note_file;           ///< Of a secret: which file its value came from.
  std::function<Result<>(const std::vector<std::string>&)> set_list;  ///< For lists.
  std::function<void()> clear_rows;                      ///< For lists of maps, as the next two.
  std::function<Section(std::string name)> add_row;      ///< Appends a row of defaults: its keys, bound to it.
  std::vector<Field> row_fields;                         ///< What a row may hold, for the reference; bound to a row of defaults.
  std::function<std::string()> get;  ///< Current value as YAML scalar or flow list, passwords masked.
  std::function<std::string()> raw;  ///< Current value with its secrets, to tell a change; never to be shown.
};

/// The keys of one section, bound to the members of a module's Options object, whose values at declaration are the defaults.
/// **Lifetime**: the Options object outlives the section.
class Section {
 public:
  Section(std::string name, std::string help) : name_(std::move(name)), help_(std::move(help)) {}

  Section& duration(std::string key, std::chrono::milliseconds& value, std::chrono::milliseconds min,
                    std::chrono::milliseconds max, std::string help);
  Section& size(std::string key, ByteSize& value, ByteSize min, ByteSize max, std::string help);
  Section& integer(std::string key, std::int64_t& value, std::int64_t min, std::int64_t max, std::string help);
  Section& number(std::string key, double& value, double min, double max, std::string help);
  Section& boolean(std::string key, bool& value, std::string help);
  Section& string(std::string key, std::string& value, std::string help);
  /// Also accepts `<key>_file`: the value is the file's content without its last newline; its path goes to `file`.
  Section& secret(std::string key, Secret& value, std::string help, std::string* file = nullptr);
  Section& choice(std::string key, std::string& value, std::vector<std::string> allowed, std::string help);
  Section& strings(std::string key, std::vector<std::string>& value, std::string help);
  /// A list of maps, each read into a `Row` by the keys that `describe(Section&, Row&)` declares. A deque, because its rows stay in place.
  template <class Row>
  Section& rows(std::string key, std::deque<Row>& values, void (*describe)(Section&, Row&), std::string help) {
    Rows rows;
    rows.clear = [&values] { values.clear(); };
    rows.add = [&values, describe](std::string name) {
      Section section(std::move(name), "");
      describe(section, values.emplace_back());
      return section;
    };
    rows.all = [&values, describe] {
      std::vector<Section> all;
      for (Row& row : values) {
        describe(all.emplace_back("", ""), row);
      }
      return all;
    };
    const auto defaults = std::make_shared<Row>();
    Section fresh("", "");
    describe(fresh, *defaults);
    return declare_rows(std::move(key), std::move(rows), fresh, defaults, std::move(help));
  }
  /// Every row must hold the key declared last.
  Section& required();
  /// What the value of the key declared last (each entry of a list of strings) must also be, beyond its type; it is set only when the check
  /// passes.
  Section& checked(std::function<Result<>(std::string_view)> check);
  /// Marks the key declared last: SIGHUP and /-/reload apply it without a restart.
  Section& reloadable();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& help() const { return help_; }
  [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
  [[nodiscard]] std::vector<Field>& fields() { return fields_; }

 private:
  struct Rows {
    std::function<void()> clear;
    std::function<Section(std::string)> add;
    std::function<std::vector<Section>()> all;
  };
  /// `defaults` is what `fresh` is bound to.
  Section& declare_rows(std::string key, Rows rows, const Section& fresh, std::shared_ptr<void> defaults, std::string help);

  std::string name_;
  std::string help_;
  std::vector<Field> fields_;
};

}  // namespace sensus::config
