// An Ollama for end-to-end tests that can be slow, wrong, cut short and endless.
//   imposter_ollama --port-file FILE [--mode MODE]
// Speaks /api/generate, /api/tags, /api/version and GET /. `POST /__mode` with a mode's name as body switches it while it runs;
// `GET /__calls` shows what /api/generate got; `GET /__mode` shows the mode. Ends on SIGTERM or SIGINT.
#include "support/http_imposter.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <mutex>
#include <string>
#include <string_view>

namespace {

using sensus::test::HttpImposter;
using Json = nlohmann::ordered_json;
using Shape = HttpImposter::Shape;

constexpr std::array<std::string_view, 9> kModes = {"normal",   "slow",   "wrong_schema", "cut",          "endless",
                                                    "not_done", "length", "error503",     "missing_model"};
constexpr std::size_t kCallsKept = 1000;

bool is_mode(std::string_view name) { return std::find(kModes.begin(), kModes.end(), name) != kModes.end(); }

/// A value that the given JSON schema allows; strings speak of `subject`.
Json follow_schema(const Json& schema, const std::string& name, const std::string& subject) {
  const std::string type = schema.value("type", "string");
  if (schema.contains("enum")) {
    return schema["enum"].at(0);
  }
  if (type == "object") {
    Json out = Json::object();
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [key, inner] : properties.items()) {
      out[key] = follow_schema(inner, key, subject);
    }
    return out;
  }
  if (type == "array") {
    return Json::array({follow_schema(schema.value("items", Json::object()), name, subject)});
  }
  if (type == "number") {
    return 0.7;
  }
  if (type == "integer") {
    return 1;
  }
  if (type == "boolean") {
    return true;
  }
  return "Imposter's " + name + " of " + subject + ".";
}

/// The alert's name, which the prompt holds as "alert_name":"...".
std::string subject_of(const std::string& prompt) {
  constexpr std::string_view kKey = "\"alert_name\":\"";
  const std::size_t begin = prompt.find(kKey);
  if (begin == std::string::npos) {
    return "an alert without a name";
  }
  const std::size_t from = begin + kKey.size();
  return prompt.substr(from, prompt.find('"', from) - from);
}

class ImposterOllama {
 public:
  explicit ImposterOllama(std::string mode) : mode_(std::move(mode)) {
    server_.when("GET", "/", HttpImposter::Reply{200, "Ollama is running", "text/plain"});
    server_.when("GET", "/api/version", HttpImposter::Reply{200, R"({"version":"0.33.0"})"});
    server_.when("GET", "/api/tags", [](const HttpImposter::Call&) { return tags(); });
    server_.when("POST", "/api/generate", [this](const HttpImposter::Call& call) { return generate(call); });
    server_.when("POST", "/__mode", [this](const HttpImposter::Call& call) { return switch_mode(call.body); });
    server_.when("GET", "/__mode", [this](const HttpImposter::Call&) { return HttpImposter::Reply{200, this->mode(), "text/plain"}; });
    server_.when("GET", "/__calls", [this](const HttpImposter::Call&) { return calls(); });
  }
  [[nodiscard]] std::uint16_t port() const { return server_.port(); }

 private:
  static HttpImposter::Reply tags() {
    Json model = {{"name", "llama2:latest"}, {"model", "llama2:latest"}, {"size", 3'800'000'000}, {"digest", "imposter"}};
    return {200, Json{{"models", Json::array({model})}}.dump()};
  }

  [[nodiscard]] std::string mode() const {
    const std::lock_guard lock(mutex_);
    return mode_;
  }

  HttpImposter::Reply switch_mode(const std::string& body) {
    const std::string name = body.substr(0, body.find_last_not_of(" \r\n") + 1);
    if (!is_mode(name)) {
      return {400, R"({"error":"no such mode"})"};
    }
    const std::lock_guard lock(mutex_);
    mode_ = name;
    return {200, name, "text/plain"};
  }

  HttpImposter::Reply calls() const {
    const std::lock_guard lock(mutex_);
    return {200, calls_.dump(-1, ' ', false, Json::error_handler_t::replace)};
  }

  void remember(const HttpImposter::Call& call, const std::string& mode) {
    const std::lock_guard lock(mutex_);
    calls_.push_back({{"method", call.method}, {"target", call.target}, {"mode", mode}, {"body", call.body}});
    if (calls_.size() > kCallsKept) {
      calls_.erase(0);
    }
  }

  HttpImposter::Reply generate(const HttpImposter::Call& call) {
    const std::string now = mode();
    remember(call, now);
    const Json request = Json::parse(call.body, nullptr, false);
    if (!request.is_object() || !request.contains("model")) {
      return {400, R"({"error":"invalid request"})"};
    }
    if (now == "error503") {
      return {503, R"({"error":"server busy, please try again.  maximum pending requests exceeded"})"};
    }
    if (now == "missing_model") {
      return {404, Json{{"error", "model '" + request.value("model", "") + "' not found"}}.dump()};
    }
    if (now == "endless") {
      return {200, std::string(4096, ' '), "application/json", {}, std::chrono::milliseconds{0}, Shape::endless};
    }
    HttpImposter::Reply reply{200, final_object(request, now).dump()};
    if (now == "slow") {
      reply.shape = Shape::silent;
    } else if (now == "cut") {
      reply.shape = Shape::cut;
    }
    return reply;
  }

  static Json final_object(const Json& request, const std::string& mode) {
    const std::string prompt = request.value("prompt", "");
    const std::string system = request.value("system", "");
    const Json schema = request.contains("format") && request["format"].is_object() ? request["format"] : Json::object();
    std::string text = follow_schema(schema, "answer", subject_of(prompt)).dump();
    if (mode == "wrong_schema") {
      text = R"({"causes":["one","two"],"verdict":42})";
    } else if (mode == "length" || mode == "not_done") {
      text.resize(text.size() / 2);
    }
    return {{"model", request.value("model", "")},
            {"created_at", "2026-01-01T00:00:00Z"},
            {"response", text},
            {"done", mode != "not_done"},
            {"done_reason", mode == "length" ? "length" : "stop"},
            {"total_duration", 1'500'000'000},
            {"load_duration", 200'000'000},
            {"prompt_eval_count", (prompt.size() + system.size()) / 4},
            {"prompt_eval_duration", 300'000'000},
            {"eval_count", text.size() / 4 + 1},
            {"eval_duration", 1'000'000'000}};
  }

  mutable std::mutex mutex_;
  std::string mode_;
  Json calls_ = Json::array();
  HttpImposter server_;  // Last: its threads use what is above.
};

/// Renamed into place, so that a reader never sees half a number.
bool write_port(const std::string& path, std::uint16_t port) {
  const std::string draft = path + ".new";
  std::ofstream(draft) << port << "\n";
  return std::rename(draft.c_str(), path.c_str()) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string port_file;
  std::string mode = "normal";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--port-file") {
      port_file = argv[i + 1];
    } else if (flag == "--mode") {
      mode = argv[i + 1];
    }
  }
  if (port_file.empty() || !is_mode(mode)) {
    std::cerr << "usage: imposter_ollama --port-file FILE [--mode normal|slow|wrong_schema|cut|endless|not_done|length|error503|"
                 "missing_model]\n";
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const ImposterOllama imposter(mode);
  if (!write_port(port_file, imposter.port())) {
    std::cerr << "cannot write " << port_file << "\n";
    return 1;
  }
  int received = 0;
  sigwait(&signals, &received);
  return 0;
}
