#include "document_internal.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace sensus::config {
namespace {

bool is_name(std::string_view name) {
  const auto allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 &&
         std::all_of(name.begin(), name.end(), allowed);
}

/// `inside` is what stands between the braces.
Result<std::string> resolve(std::string_view inside, const Environment& env) {
  const std::size_t split = inside.find(":-");
  const std::string name(inside.substr(0, split));
  if (!is_name(name)) {
    return make_error(Errc::invalid_input, "'${" + std::string(inside) + "}' does not name an environment variable: "
                                           "letters, digits and _ are allowed; write $${ for a literal ${");
  }
  const std::optional<std::string> value = env(name);
  // As in the shell, ":-" also replaces an empty value.
  if (split != std::string_view::npos && (!value || value->empty())) {
    return std::string(inside.substr(split + 2));
  }
  if (!value) {
    return make_error(Errc::invalid_input, "environment variable " + name + " is not set: set it, or write ${" + name +
                                               ":-default}");
  }
  return *value;
}

}  // namespace

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
  };
}

Result<std::string> expand_environment(std::string_view text, const Environment& env) {
  std::string out;
  while (true) {
    const std::size_t open = text.find("${");
    if (open == std::string_view::npos) {
      return out += text;
    }
    if (open > 0 && text[open - 1] == '$') {
      out += text.substr(0, open - 1);
      out += "${";
      text.remove_prefix(open + 2);
      continue;
    }
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) {
      return make_error(Errc::invalid_input, "'${' without its '}'; write $${ for a literal ${");
    }
    SENSUS_TRY(const std::string value, resolve(text.substr(open + 2, close - open - 2), env));
    out += text.substr(0, open);
    out += value;
    text.remove_prefix(close + 1);
  }
}

}  // namespace sensus::config
