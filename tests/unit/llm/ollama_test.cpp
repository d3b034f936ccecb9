#include "sensus/llm/ollama.hpp"

#include "support/coro_test.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <deque>

namespace sensus::llm {
namespace {

using Json = nlohmann::ordered_json;

/// Answers from a script, keeps what was asked.
class ScriptedWeb final : public webclient::Client {
 public:
  runtime::Async<webclient::OutResponse> send(Deadline deadline, webclient::OutRequest request) override {
    deadlines.push_back(deadline);
    requests.push_back(std::move(request));
    if (script.empty()) {
      co_return make_error(Errc::unavailable, "nothing is scripted");
    }
    Result<webclient::OutResponse> next = std::move(script.front());
    script.pop_front();
    co_return next;
  }
  void reply(int status, std::string body, std::string type = "application/json; charset=utf-8") {
    script.emplace_back(webclient::OutResponse{status, std::move(type), std::move(body)});
  }
  void fail(Errc code) { script.emplace_back(make_error(code, "scripted")); }

  std::deque<Result<webclient::OutResponse>> script;
  std::vector<webclient::OutRequest> requests;
  std::vector<Deadline> deadlines;
};

Json sound_answer() {
  return {{"model", "llama2"},
          {"response", R"({"root_cause":"a","mitigation":"b","analysis":"c","confidence":0.6})"},
          {"done", true},
          {"done_reason", "stop"},
          {"total_duration", 2'500'000'000},
          {"load_duration", 400'000'000},
          {"prompt_eval_count", 300},
          {"eval_count", 42}};
}

class OllamaTest : public testing::Test {
 protected:
  OllamaTest() {
    options.url = "http://ollama:11434/";
    options.retry_pause = 1ms;
    prompt.system = "system";
    prompt.user = "user";
    prompt.format_schema = R"({"type":"object"})";
    prompt.estimated_tokens = 320;
  }
  void make() { ollama.emplace(options, web, clock, telemetry::Log{}, metrics); }
  [[nodiscard]] double count(std::string_view outcome) {
    return metrics.counter("sensus_llm_requests_total", "Calls to Ollama by outcome.", {{"outcome", outcome}}).value();
  }
  runtime::Async<Answer> ask() { return ollama->explain(Deadline::after(60s), prompt); }

  Options options;
  Prompt prompt;
  ScriptedWeb web;
  ManualClock clock{from_unix_us(0)};
  telemetry::Metrics metrics;
  std::optional<Ollama> ollama;
};

CORO_TEST_F(OllamaTest, SendsTheWholeContract) {
  options.keep_alive = "-1";
  make();
  web.reply(200, sound_answer().dump());
  Result<Answer> answer = co_await ask();
  CO_ASSERT_OK(answer);
  CO_ASSERT_EQ(web.requests.size(), 1u);
  EXPECT_EQ(web.requests[0].url, "http://ollama:11434/api/generate");
  EXPECT_EQ(web.requests[0].method, "POST");
  EXPECT_EQ(web.requests[0].response_limit, options.response_limit);
  const Json body = Json::parse(web.requests[0].body);
  EXPECT_EQ(body["model"], "llama2");
  EXPECT_EQ(body["system"], "system");
  EXPECT_EQ(body["prompt"], "user");
  EXPECT_EQ(body["stream"], false);
  EXPECT_EQ(body["think"], false);
  EXPECT_EQ(body["format"], Json::parse(R"({"type":"object"})"));
  EXPECT_EQ(body["keep_alive"], -1);
  EXPECT_EQ(body["options"]["num_ctx"], 4096);
  EXPECT_EQ(body["options"]["num_predict"], 512);
  EXPECT_EQ(body["options"]["temperature"], 0.1);
}

CORO_TEST_F(OllamaTest, KeepsCountsAndTimings) {
  make();
  web.reply(200, sound_answer().dump());
  Result<Answer> answer = co_await ask();
  CO_ASSERT_OK(answer);
  EXPECT_EQ(answer->explanation.root_cause, "a");
  EXPECT_EQ(answer->prompt_tokens, 300);
  EXPECT_EQ(answer->answer_tokens, 42);
  EXPECT_EQ(answer->total_ms, 2500);
  EXPECT_EQ(answer->load_ms, 400);
  EXPECT_FALSE(answer->prompt_truncated);
  EXPECT_EQ(count("ok"), 1);
}

CORO_TEST_F(OllamaTest, SeesAPromptThatOllamaCut) {
  make();
  Json cut = sound_answer();
  cut["prompt_eval_count"] = 127;  // 40 % of the estimate is 128.
  web.reply(200, cut.dump());
  Result<Answer> answer = co_await ask();
  CO_ASSERT_OK(answer);
  EXPECT_TRUE(answer->prompt_truncated);
  Json full = sound_answer();
  full["prompt_eval_count"] = 4095;
  web.reply(200, full.dump());
  answer = co_await ask();
  CO_ASSERT_OK(answer);
  EXPECT_TRUE(answer->prompt_truncated);
  Json cached = sound_answer();
  cached.erase("prompt_eval_count");
  web.reply(200, cached.dump());
  answer = co_await ask();
  CO_ASSERT_OK(answer);
  EXPECT_FALSE(answer->prompt_truncated);
}

CORO_TEST_F(OllamaTest, AnUnusableAnswerIsAskedForAgainColder) {
  make();
  Json wrong = sound_answer();
  wrong["response"] = R"({"causes":["a"]})";
  web.reply(200, wrong.dump());
  web.reply(200, sound_answer().dump());
  Result<Answer> answer = co_await ask();
  CO_ASSERT_OK(answer);
  CO_ASSERT_EQ(web.requests.size(), 2u);
  EXPECT_EQ(Json::parse(web.requests[1].body)["options"]["temperature"], 0.0);
  EXPECT_EQ(count("invalid"), 1);
  EXPECT_EQ(count("ok"), 1);
}

CORO_TEST_F(OllamaTest, EveryCheckOfAnAnswerCounts) {
  options.attempts = 1;
  options.breaker_failures = 100;
  make();
  struct Case {
    std::string name;
    int status;
    std::string type;
    std::string body;
    Errc code;
    std::string outcome;
  };
  Json not_done = sound_answer();
  not_done["done"] = false;
  Json length = sound_answer();
  length["done_reason"] = "length";
  Json load = sound_answer();
  load["done_reason"] = "load";
  Json no_text = sound_answer();
  no_text.erase("response");
  Json white = sound_answer();
  white["response"] = std::string(20'000, ' ');
  const std::string json = "application/json";
  const Case cases[] = {
      {"not done", 200, json, not_done.dump(), Errc::corrupt, "truncated"},
      {"length", 200, json, length.dump(), Errc::corrupt, "truncated"},
      {"load", 200, json, load.dump(), Errc::corrupt, "truncated"},
      {"half", 200, json, sound_answer().dump().substr(0, 60), Errc::corrupt, "truncated"},
      {"empty", 200, json, "", Errc::corrupt, "truncated"},
      {"no response", 200, json, no_text.dump(), Errc::corrupt, "invalid"},
      {"white space", 200, json, white.dump(), Errc::corrupt, "invalid"},
      {"html", 200, "text/html", "<html>login</html>", Errc::corrupt, "invalid"},
      {"ndjson", 200, "application/x-ndjson", sound_answer().dump(), Errc::corrupt, "invalid"},
      {"nul", 200, json, std::string("{\0}", 3), Errc::corrupt, "truncated"},
      {"not utf-8", 200, json, "{\"a\":\"\xFF\"}", Errc::corrupt, "invalid"},
      {"error in 200", 200, json, R"({"error":"runner died"})", Errc::unavailable, "unavailable"},
      {"missing model", 404, json, R"({"error":"model 'llama2' not found"})", Errc::not_found, "not_found"},
      {"not ollama", 404, "text/html", "nope", Errc::not_found, "not_found"},
      {"bad request", 400, json, R"({"error":"\"x\" does not support thinking"})", Errc::invalid_input, "refused"},
      {"busy", 503, json, R"({"error":"server busy"})", Errc::unavailable, "unavailable"},
      {"crash", 500, json, R"({"error":"out of memory"})", Errc::unavailable, "unavailable"},
      {"redirect", 302, "text/html", "", Errc::unavailable, "unavailable"},
      {"too many", 429, json, "{}", Errc::unavailable, "unavailable"},
  };
  for (const Case& wanted : cases) {
    const double before = count(wanted.outcome);
    web.reply(wanted.status, wanted.body, wanted.type);
    Result<Answer> answer = co_await ask();
    CO_ASSERT_TRUE(!answer);
    EXPECT_EQ(answer.error().code, wanted.code) << wanted.name << ": " << answer.error().message;
    EXPECT_EQ(count(wanted.outcome), before + 1) << wanted.name;
    EXPECT_EQ(answer.error().message.find('\n'), std::string::npos);
  }
}

CORO_TEST_F(OllamaTest, AMissingModelSaysWhatToDo) {
  make();
  web.reply(404, R"({"error":"model 'llama2' not found"})");
  Result<Answer> answer = co_await ask();
  CO_ASSERT_TRUE(!answer);
  EXPECT_NE(answer.error().message.find("ollama pull llama2"), std::string::npos) << answer.error().message;
  EXPECT_EQ(web.requests.size(), 1u);
}

CORO_TEST_F(OllamaTest, ABusyServerIsAskedAgainAndATimeoutIsNot) {
  make();
  web.reply(503, R"({"error":"server busy"})");
  web.reply(200, sound_answer().dump());
  Result<Answer> busy = co_await ask();
  CO_ASSERT_OK(busy);
  web.fail(Errc::timeout);
  Result<Answer> slow = co_await ask();
  CO_ASSERT_TRUE(!slow);
  EXPECT_EQ(slow.error().code, Errc::timeout);
  EXPECT_EQ(web.requests.size(), 3u);
}

CORO_TEST_F(OllamaTest, AnOutageOpensTheBreakerAndOneProbeClosesIt) {
  options.attempts = 1;
  make();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(ollama->accepts_calls());
    EXPECT_EQ(ollama->health().state, telemetry::HealthState::ok);
    web.fail(Errc::unavailable);
    Result<Answer> down = co_await ask();
    EXPECT_FALSE(down);
  }
  EXPECT_FALSE(ollama->accepts_calls());
  EXPECT_EQ(ollama->health().state, telemetry::HealthState::degraded);
  EXPECT_NE(ollama->health().reason.find("scripted"), std::string::npos);
  Result<Answer> refused = co_await ask();
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  EXPECT_EQ(web.requests.size(), 3u);
  EXPECT_EQ(count("rejected"), 1);
  clock.advance(30s);
  EXPECT_TRUE(ollama->accepts_calls());
  web.reply(200, sound_answer().dump());
  Result<Answer> probe = co_await ask();
  CO_ASSERT_OK(probe);
  EXPECT_EQ(ollama->health().state, telemetry::HealthState::ok);
}

CORO_TEST_F(OllamaTest, NonsenseOfTheModelIsNoOutage) {
  options.attempts = 1;
  make();
  Json wrong = sound_answer();
  wrong["response"] = "{}";
  for (int i = 0; i < 5; ++i) {
    web.reply(200, wrong.dump());
    Result<Answer> answer = co_await ask();
    EXPECT_FALSE(answer);
  }
  EXPECT_TRUE(ollama->accepts_calls());
  EXPECT_EQ(web.requests.size(), 5u);
}

CORO_TEST_F(OllamaTest, WithoutAUrlThereIsNoCall) {
  options.url.clear();
  make();
  EXPECT_FALSE(ollama->enabled());
  Result<Answer> answer = co_await ask();
  CO_ASSERT_TRUE(!answer);
  EXPECT_EQ(answer.error().code, Errc::unavailable);
  EXPECT_TRUE(web.requests.empty());
  EXPECT_EQ(ollama->health().state, telemetry::HealthState::ok);
}

TEST_F(OllamaTest, LimitsFollowTheOptions) {
  options.attempts = 3;
  options.time_limit = 10s;
  options.retry_pause = 1s;
  make();
  EXPECT_EQ(ollama->time_limit_total(), 46s);
  EXPECT_EQ(ollama->prompt_budget(), 4096u - 512u - 96u);
}

}  // namespace
}  // namespace sensus::llm
