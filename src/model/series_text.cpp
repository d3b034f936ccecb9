#include "sensus/model/series_text.hpp"

#include <algorithm>

namespace sensus::model {
namespace {

bool is_plain(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
  };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + '"';
}

}  // namespace

std::string render_series_text(std::string_view metric_name, const Labels& labels) {
  const bool plain = is_plain(metric_name);
  std::string out = plain ? std::string(metric_name) : std::string();
  std::string inside = plain || metric_name.empty() ? std::string() : quote(metric_name);
  for (const Label& label : labels) {
    inside += inside.empty() ? "" : ",";
    inside +=
        (is_plain(label.name) && label.name.find(':') == std::string::npos ? label.name
                                                                           : quote(label.name)) +
        "=" + quote(label.value);
  }
  return inside.empty() && plain ? out : out + "{" + inside + "}";
}

}  // namespace sensus::model
