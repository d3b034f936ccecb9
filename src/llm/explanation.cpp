#include "sensus/llm/prompt.hpp"

#include "sensus/core/utf8.hpp"
#include "sensus/llm/untrusted_text.hpp"
#include "prompt_internal.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cmath>

namespace sensus::llm {
namespace {

constexpr std::size_t kFieldBytesMax = 8 * 1024;
constexpr int kDepthMax = 4;

Error broken(std::string what) { return make_error(Errc::corrupt, "the model's answer is unusable: " + std::move(what)); }

/// Parses with a bound on nesting; nullopt when it is not JSON or too deep.
std::optional<nlohmann::json> parse_shallow(std::string_view text) {
  bool too_deep = false;
  const nlohmann::json::parser_callback_t watch = [&too_deep](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > kDepthMax;
    return !too_deep;
  };
  auto parsed = nlohmann::json::parse(text, watch, false);
  if (parsed.is_discarded() || too_deep) {
    return std::nullopt;
  }
  return parsed;
}

/// `![alt](url)` and `[text](url)` become their text: a rendered image or link could carry data out.
std::string strip_links(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t middle = text.find("](");
    const std::size_t open = middle == std::string_view::npos ? middle : text.substr(0, middle).rfind('[');
    const std::size_t close = middle == std::string_view::npos ? middle : text.find(')', middle);
    if (open == std::string_view::npos || close == std::string_view::npos) {
      const std::size_t copied = middle == std::string_view::npos ? text.size() : middle + 2;
      out += text.substr(0, copied);
      text.remove_prefix(copied);
      continue;
    }
    const bool image = open > 0 && text[open - 1] == '!';
    out += text.substr(0, image ? open - 1 : open);
    out += text.substr(open + 1, middle - open - 1);
    text.remove_prefix(close + 1);
  }
  return out;
}

Result<std::string> text_field(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) {
    return broken(std::string("'") + name + "' is not a string");
  }
  std::string text = strip_links(guard_text(found->get_ref<const std::string&>(), kFieldBytesMax));
  if (text.find_first_not_of(" \n") == std::string::npos) {
    return broken(std::string("'") + name + "' is empty");
  }
  return text;
}

Result<double> confidence_field(const nlohmann::json& object) {
  const auto found = object.find("confidence");
  if (found == object.end() || !found->is_number()) {
    return broken("'confidence' is not a number");
  }
  const double value = found->get<double>();
  if (!std::isfinite(value) || value < 0 || value > 100) {
    return broken("'confidence' is out of range");
  }
  // Ollama's grammar cannot enforce a range, and models like to write percent.
  return value > 1 ? value / 100 : value;
}

}  // namespace

Result<Explanation> parse_explanation(std::string_view json) {
  if (!is_utf8(json) || json.find('\0') != std::string_view::npos) {
    return broken("it is not text");
  }
  if (json.find(kCanary) != std::string_view::npos) {
    return broken("it repeats its instructions");
  }
  const auto parsed = parse_shallow(json);
  if (!parsed || !parsed->is_object()) {
    return broken("it is not a JSON object");
  }
  constexpr std::size_t kKeys = 4;
  if (parsed->size() > kKeys) {
    return broken("it has " + std::to_string(parsed->size()) + " keys, the schema allows 4");
  }
  Explanation out;
  SENSUS_TRY(out.root_cause, text_field(*parsed, "root_cause"));
  SENSUS_TRY(out.mitigation, text_field(*parsed, "mitigation"));
  SENSUS_TRY(out.analysis, text_field(*parsed, "analysis"));
  SENSUS_TRY(out.confidence, confidence_field(*parsed));
  return out;
}

}  // namespace sensus::llm
