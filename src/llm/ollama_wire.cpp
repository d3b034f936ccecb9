#include "ollama_wire_internal.hpp"

#include "sensus/core/utf8.hpp"
#include "sensus/llm/untrusted_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace sensus::llm {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kErrorBytesMax = 200;
constexpr int kSeed = 20;
constexpr double kTemperature = 0.1;

/// A duration ("10m") goes as a string, plain seconds ("-1", "300") as a number: Ollama reads no other form.
Json keep_alive_json(const std::string& text) {
  const bool number = !text.empty() && text.size() < 10 &&
                      std::all_of(text.begin() + (text.front() == '-' ? 1 : 0), text.end(),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  return number && text != "-" ? Json(std::stol(text)) : Json(text);
}

/// The text of {"error": "..."}, or "".
std::string error_text(const std::string& body) {
  const Json parsed = Json::parse(body, nullptr, false);
  if (!parsed.is_object() || !parsed.contains("error") || !parsed["error"].is_string()) {
    return {};
  }
  return guard_text(parsed["error"].get_ref<const std::string&>(), kErrorBytesMax);
}

Error status_error(const Options& options, const webclient::OutResponse& response) {
  const std::string said = error_text(response.body);
  const std::string status = "Ollama answered " + std::to_string(response.status);
  const std::string tail = said.empty() ? std::string() : ": " + said;
  if (response.status == 404) {
    return said.empty() ? make_error(Errc::not_found, status + "; is llm.url an Ollama server?")
                        : make_error(Errc::not_found, status + tail + "; run `ollama pull " + options.model + "` or set llm.model");
  }
  if (response.status >= 300 && response.status < 400) {
    return make_error(Errc::unavailable, status + ", a redirect; set llm.url to the final address");
  }
  if (response.status == 401 || response.status == 403) {
    return make_error(Errc::unavailable, status + "; something in front of Ollama refuses Sensus");
  }
  if (response.status >= 400 && response.status < 499 && response.status != 408 && response.status != 429) {
    return make_error(Errc::invalid_input, status + tail);
  }
  return make_error(Errc::unavailable, status + tail);
}

bool is_json_type(std::string_view content_type) {
  std::string low(content_type.substr(0, content_type.find(';')));
  std::transform(low.begin(), low.end(), low.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  while (!low.empty() && low.back() == ' ') {
    low.pop_back();
  }
  return low == "application/json";
}

std::int64_t count_field(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) {
    return 0;
  }
  return std::max<std::int64_t>(found->get<std::int64_t>(), 0);
}

Result<> check_done(const Json& object) {
  const auto done = object.find("done");
  if (done == object.end() || !done->is_boolean() || !done->get<bool>()) {
    return make_error(Errc::corrupt, "Ollama's answer ends before it is done", kCutShort);
  }
  const auto reason = object.find("done_reason");
  if (reason == object.end() || !reason->is_string() || *reason == "stop") {
    return {};
  }
  if (*reason == "length") {
    return make_error(Errc::corrupt, "the model's answer was cut short; raise llm.answer_tokens or llm.context_tokens", kCutShort);
  }
  return make_error(Errc::corrupt, "Ollama ended the answer for another reason than the model's own stop", kCutShort);
}

/// An over-long prompt loses its front in silence: Ollama then counts far fewer tokens than were sent, or fills the whole context.
/// A count of 0 says nothing: older versions leave it out when the prompt was cached.
bool looks_truncated(const Options& options, const Prompt& prompt, std::int64_t counted) {
  const auto estimated = static_cast<std::int64_t>(prompt.estimated_tokens);
  return counted > 0 && (counted * 5 < estimated * 2 || counted >= options.context_tokens - 1);
}

}  // namespace

std::string render_generate(const Options& options, const Prompt& prompt, std::int64_t attempt) {
  nlohmann::ordered_json body;
  body["model"] = options.model;
  body["system"] = prompt.system;
  body["prompt"] = prompt.user;
  body["stream"] = false;
  body["format"] = nlohmann::ordered_json::parse(prompt.format_schema);
  body["think"] = false;
  body["truncate"] = false;
  body["shift"] = false;
  body["keep_alive"] = keep_alive_json(options.keep_alive);
  body["options"] = {{"num_ctx", options.context_tokens},
                     {"num_predict", options.answer_tokens},
                     {"temperature", attempt == 0 ? kTemperature : 0.0},
                     {"seed", kSeed + attempt}};
  return body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<Answer> parse_generate(const Options& options, const Prompt& prompt, const webclient::OutResponse& response) {
  if (response.status != 200) {
    return status_error(options, response);
  }
  if (!is_json_type(response.content_type)) {
    return make_error(Errc::corrupt, "the answer is not JSON; is llm.url an Ollama server?", kNotOllama);
  }
  if (!is_utf8(response.body)) {
    return make_error(Errc::corrupt, "Ollama's answer is not UTF-8");
  }
  const Json parsed = Json::parse(response.body, nullptr, false);
  if (!parsed.is_object()) {
    return make_error(Errc::corrupt, "Ollama's answer is not one whole JSON object", kCutShort);
  }
  if (parsed.contains("error")) {
    return make_error(Errc::unavailable, "Ollama failed: " + error_text(response.body));
  }
  SENSUS_TRY_VOID(check_done(parsed));
  const auto text = parsed.find("response");
  if (text == parsed.end() || !text->is_string()) {
    return make_error(Errc::corrupt, "Ollama's answer has no 'response'");
  }
  Answer answer;
  SENSUS_TRY(answer.explanation, parse_explanation(text->get_ref<const std::string&>()));
  const auto model = parsed.find("model");
  answer.model = model != parsed.end() && model->is_string() ? guard_text(model->get_ref<const std::string&>(), 200) : options.model;
  answer.prompt_tokens = count_field(parsed, "prompt_eval_count");
  answer.answer_tokens = count_field(parsed, "eval_count");
  constexpr std::int64_t kNsPerMs = 1'000'000;
  answer.total_ms = count_field(parsed, "total_duration") / kNsPerMs;
  answer.load_ms = count_field(parsed, "load_duration") / kNsPerMs;
  answer.prompt_truncated = looks_truncated(options, prompt, answer.prompt_tokens);
  return answer;
}

}  // namespace sensus::llm
