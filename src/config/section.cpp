#include "sensus/config/section.hpp"

#include "document_internal.hpp"

#include "sensus/core/assert.hpp"
#include "sensus/core/parse_number.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace sensus::config {
namespace {

constexpr std::size_t kListItemsMax = 64;

Error wrong(std::string message) { return make_error(Errc::invalid_input, std::move(message)); }

std::string render_number(double value) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end};
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    out += out.empty() ? "" : separator;
    out += part;
  }
  return out;
}

std::string render_list(const std::vector<std::string>& items) {
  std::vector<std::string> scalars;
  scalars.reserve(items.size());
  for (const std::string& entry : items) {
    scalars.push_back(render_scalar(entry));
  }
  return "[" + join(scalars, ", ") + "]";
}

/// A flow map of the keys that are not at their defaults, which are those of the row's first declaration.
std::string render_row(const Section& row, const std::vector<Field>& defaults) {
  std::vector<std::string> entries;
  for (std::size_t i = 0; i < row.fields().size(); ++i) {
    const std::string value = row.fields()[i].get();
    if (value != defaults[i].default_text) {
      entries.push_back(row.fields()[i].key + ": " + value);
    }
  }
  return "{" + join(entries, ", ") + "}";
}

std::string out_of_range(std::string_view text, const std::string& allowed) {
  return "'" + std::string(text) + "' is out of range: allowed is " + allowed;
}

template <class T>
Result<T> number_of(std::string_view text, const char* kind) {
  const std::optional<T> parsed = parse_number<T>(text);
  if (!parsed) {
    return wrong("'" + std::string(text) + "' is not " + kind);
  }
  return *parsed;
}

/// Takes what `parse` makes of a text when it lies within the bounds. `joint` stands between its complaint and what is allowed.
template <class T, class Parse>
std::function<Result<>(std::string_view)> bounded_setter(T& value, T min, T max, std::string allowed, std::string joint, Parse parse) {
  return [&value, min, max, allowed = std::move(allowed), joint = std::move(joint), parse](std::string_view text) -> Result<> {
    const Result<T> parsed = parse(text);
    if (!parsed) {
      return wrong(parsed.error().message + joint + "allowed is " + allowed);
    }
    // Written so that NaN, which compares false with everything, is refused.
    if (!(*parsed >= min && *parsed <= max)) {
      return wrong(out_of_range(text, allowed));
    }
    value = *parsed;
    return {};
  };
}

/// Stands for a secret wherever it would be shown.
std::string masked(const Secret& secret) { return secret.empty() ? "\"\"" : "\"<secret>\""; }

void declare(std::vector<Field>& fields, Field field) {
  const bool is_new = std::none_of(fields.begin(), fields.end(), [&](const Field& f) { return f.key == field.key; });
  SENSUS_ASSERT(is_new);
  field.default_text = field.get();
  if (!field.raw) {
    field.raw = field.get;
  }
  fields.push_back(std::move(field));
}

Field make_field(std::string key, std::string help, std::string type, std::string allowed) {
  Field field;
  field.key = std::move(key);
  field.help = std::move(help);
  field.type = std::move(type);
  field.allowed = std::move(allowed);
  return field;
}

}  // namespace

Section& Section::duration(std::string key, std::chrono::milliseconds& value, std::chrono::milliseconds min,
                           std::chrono::milliseconds max, std::string help) {
  const std::string allowed = render_duration(min) + " to " + render_duration(max);
  Field field = make_field(std::move(key), std::move(help), "duration", allowed);
  field.set = bounded_setter(value, min, max, allowed, "; ", parse_duration);
  field.get = [&value] { return render_duration(value); };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::size(std::string key, ByteSize& value, ByteSize min, ByteSize max, std::string help) {
  const std::string allowed = render_byte_size(min) + " to " + render_byte_size(max);
  Field field = make_field(std::move(key), std::move(help), "size", allowed);
  field.set = bounded_setter(value, min, max, allowed, "; ", parse_byte_size);
  field.get = [&value] { return render_byte_size(value); };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::integer(std::string key, std::int64_t& value, std::int64_t min, std::int64_t max, std::string help) {
  const std::string allowed = std::to_string(min) + " to " + std::to_string(max);
  Field field = make_field(std::move(key), std::move(help), "integer", allowed);
  field.set = bounded_setter(value, min, max, allowed, ": ",
                             [](std::string_view text) { return number_of<std::int64_t>(text, "a whole number"); });
  field.get = [&value] { return std::to_string(value); };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::number(std::string key, double& value, double min, double max, std::string help) {
  const std::string allowed = render_number(min) + " to " + render_number(max);
  Field field = make_field(std::move(key), std::move(help), "number", allowed);
  field.set = bounded_setter(value, min, max, allowed, ": ",
                             [](std::string_view text) { return number_of<double>(text, "a number"); });
  field.get = [&value] { return render_number(value); };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::boolean(std::string key, bool& value, std::string help) {
  Field field = make_field(std::move(key), std::move(help), "boolean", "true or false");
  field.set = [&value](std::string_view text) -> Result<> {
    if (text != "true" && text != "false") {
      return wrong("'" + std::string(text) + "' is not a boolean: allowed is true or false");
    }
    value = text == "true";
    return {};
  };
  field.get = [&value] { return std::string(value ? "true" : "false"); };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::string(std::string key, std::string& value, std::string help) {
  Field field = make_field(std::move(key), std::move(help), "string", "");
  field.set = [&value](std::string_view text) -> Result<> {
    value = text;
    return {};
  };
  field.get = [&value] { return render_scalar(mask_passwords(value)); };
  field.raw = [&value] { return value; };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::secret(std::string key, Secret& value, std::string help, std::string* file) {
  Field field = make_field(std::move(key), std::move(help), "secret", "");
  field.secret = true;
  field.set = [&value](std::string_view text) -> Result<> {
    value = Secret(std::string(text));
    return {};
  };
  if (file != nullptr) {
    field.note_file = [file](const std::string& path) { *file = path; };
  }
  field.get = [&value] { return masked(value); };
  field.raw = [&value] { return std::string(value.reveal()); };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::checked(std::function<Result<>(std::string_view)> check) {
  SENSUS_ASSERT(!fields_.empty() && (fields_.back().set || fields_.back().set_list));
  Field& field = fields_.back();
  if (field.set_list) {
    field.set_list = [set = std::move(field.set_list), check = std::move(check)](const std::vector<std::string>& items) -> Result<> {
      for (const std::string& item : items) {
        SENSUS_TRY_VOID(check(item));
      }
      return set(items);
    };
    return *this;
  }
  field.set = [set = std::move(field.set), check = std::move(check)](std::string_view text) -> Result<> {
    SENSUS_TRY_VOID(check(text));
    return set(text);
  };
  return *this;
}

Section& Section::choice(std::string key, std::string& value, std::vector<std::string> allowed, std::string help) {
  Field field = make_field(std::move(key), std::move(help), "one of " + join(allowed, "|"), "");
  field.set = [&value, allowed = std::move(allowed)](std::string_view text) -> Result<> {
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
      return wrong("'" + std::string(text) + "' is not known: allowed is one of " + join(allowed, ", "));
    }
    value = text;
    return {};
  };
  field.get = [&value] { return render_scalar(value); };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::required() {
  SENSUS_ASSERT(!fields_.empty());
  fields_.back().required = true;
  return *this;
}

Section& Section::declare_rows(std::string key, Rows rows, const Section& fresh, std::shared_ptr<void> defaults, std::string help) {
  Field field = make_field(std::move(key), std::move(help), "list of maps", "at most " + std::to_string(kRowsMax));
  field.clear_rows = std::move(rows.clear);
  field.add_row = std::move(rows.add);
  field.row_fields = fresh.fields();
  // The fields of the fresh row look into `defaults`, so it lives as long as they do.
  field.get = [all = std::move(rows.all), row_fields = fresh.fields(), defaults = std::move(defaults)] {
    std::vector<std::string> maps;
    for (const Section& row : all()) {
      maps.push_back(render_row(row, row_fields));
    }
    return "[" + join(maps, ", ") + "]";
  };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::strings(std::string key, std::vector<std::string>& value, std::string help) {
  Field field = make_field(std::move(key), std::move(help), "list of strings",
                           "up to " + std::to_string(kListItemsMax) + " entries");
  field.set_list = [&value](const std::vector<std::string>& items) -> Result<> {
    if (items.size() > kListItemsMax) {
      return wrong(std::to_string(items.size()) + " entries: allowed is up to " + std::to_string(kListItemsMax));
    }
    value = items;
    return {};
  };
  field.get = [&value] { return render_list(value); };
  declare(fields_, std::move(field));
  return *this;
}

Section& Section::reloadable() {
  SENSUS_ASSERT(!fields_.empty());
  fields_.back().reloadable = true;
  return *this;
}

}  // namespace sensus::config
