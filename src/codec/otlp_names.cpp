#include "otlp_names_internal.hpp"

#include <algorithm>
#include <utility>

namespace sensus::codec::otlp {
namespace {

using Words = std::vector<std::string>;
using Unit = std::pair<std::string_view, std::string_view>;

constexpr Unit kUnits[] = {
    {"d", "days"},
    {"h", "hours"},
    {"min", "minutes"},
    {"s", "seconds"},
    {"ms", "milliseconds"},
    {"us", "microseconds"},
    {"ns", "nanoseconds"},
    {"By", "bytes"},
    {"KiBy", "kibibytes"},
    {"MiBy", "mebibytes"},
    {"GiBy", "gibibytes"},
    {"TiBy", "tibibytes"},
    {"kBy", "kilobytes"},
    {"KBy", "kilobytes"},
    {"MBy", "megabytes"},
    {"GBy", "gigabytes"},
    {"TBy", "terabytes"},
    {"m", "meters"},
    {"V", "volts"},
    {"A", "amperes"},
    {"J", "joules"},
    {"W", "watts"},
    {"g", "grams"},
    {"Cel", "celsius"},
    {"Hz", "hertz"},
    {"1", ""},
    {"%", "percent"},
};
constexpr Unit kPerUnits[] = {
    {"s", "second"}, {"m", "minute"}, {"h", "hour"}, {"d", "day"},
    {"w", "week"},   {"mo", "month"}, {"y", "year"},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c); }

Words words_of(std::string_view text) {
  Words words;
  bool inside = false;
  for (const char c : text) {
    const bool word = is_word(c) || c == ':';
    if (word && !inside) {
      words.emplace_back();
    }
    if (word) {
      words.back().push_back(c);
    }
    inside = word;
  }
  return words;
}

std::string joined(const Words& words) {
  std::string out;
  for (const std::string& word : words) {
    out += out.empty() ? "" : "_";
    out += word;
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos
             ? ""
             : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Units of one of the tables by their name, others as they are; annotations are none.
template <std::size_t N>
std::string unit_word(std::string_view text, const Unit (&table)[N]) {
  const std::string_view unit = trimmed(text);
  if (unit.find_first_of("{}") != std::string_view::npos) {
    return "";
  }
  const auto* known = std::find_if(std::begin(table), std::end(table),
                                   [unit](const Unit& u) { return u.first == unit; });
  return known != std::end(table) ? std::string(known->second) : joined(words_of(unit));
}

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

void add_unit(Words& words, std::string_view unit) {
  const auto slash = unit.find('/');
  const std::string main = unit_word(unit.substr(0, slash), kUnits);
  const std::string per =
      slash == std::string_view::npos ? "" : unit_word(unit.substr(slash + 1), kPerUnits);
  const bool add_main = !main.empty() && !has(words, main);
  const bool add_per = !per.empty() && !has(words, per);
  if (add_main) {
    words.push_back(main);
  }
  if (add_per) {
    words.emplace_back("per");
    words.push_back(per);
  }
}

void move_to_end(Words& words, const std::string& word) {
  std::erase(words, word);
  words.push_back(word);
}

}  // namespace

std::string metric_name_of(std::string_view name, std::string_view unit, NameKind kind) {
  Words words = words_of(name);
  if (words.empty()) {
    return "";
  }
  add_unit(words, unit);
  if (kind == NameKind::monotonic_sum) {
    move_to_end(words, "total");
  } else if (kind == NameKind::gauge && unit == "1") {
    move_to_end(words, "ratio");
  }
  std::string out = joined(words);
  return is_digit(out.front()) ? "_" + out : out;
}

std::string unit_name_of(std::string_view unit) {
  Words words;
  add_unit(words, unit);
  return joined(words);
}

std::string label_name_of(std::string_view key) {
  std::string out;
  out.reserve(key.size());
  for (const char c : key) {
    if (is_word(c)) {
      out.push_back(c);
    } else if (out.empty() || out.back() != '_') {
      out.push_back('_');
    }
  }
  if (out.empty()) {
    return out;
  }
  return is_digit(out.front()) ? "key_" + out : out.front() == '_' ? "key" + out : out;
}

model::Labels labels_of(std::vector<Attribute>& attributes) {
  // Stable, so that the last of equal keys is the last given.
  std::stable_sort(attributes.begin(), attributes.end(),
                   [](const Attribute& a, const Attribute& b) { return a.key < b.key; });
  model::Labels labels;
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    Attribute& attribute = attributes[i];
    const bool repeated = i + 1 < attributes.size() && attributes[i + 1].key == attribute.key;
    std::string name = label_name_of(attribute.key);
    if (repeated || name.empty() || attribute.value.empty()) {
      continue;
    }
    if (const std::string* other = labels.find(name)) {
      attribute.value = *other + ";" + attribute.value;
    }
    labels.set(std::move(name), std::move(attribute.value));
  }
  return labels;
}

}  // namespace sensus::codec::otlp
