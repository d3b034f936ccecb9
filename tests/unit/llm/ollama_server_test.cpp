// The client over real sockets against a server that misbehaves.
#include "sensus/llm/ollama.hpp"

#include "support/coro_test.hpp"
#include "support/http_imposter.hpp"

#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

namespace sensus::llm {
namespace {

using test::HttpImposter;
using Reply = HttpImposter::Reply;
using Shape = HttpImposter::Shape;

constexpr const char* kSound =
    R"({"model":"llama2","response":"{\"root_cause\":\"a\",\"mitigation\":\"b\",\"analysis\":\"c\",\"confidence\":0.6}","done":true})";

struct Bench {
  explicit Bench(runtime::Executor executor)
      : pool(executor, runtime::BlockingPoolOptions{"llm", 1, 8}, metrics),
        web(webclient::make_curl_client(pool)),
        ollama(options(server), *web, clock, telemetry::Log{}, metrics) {
    prompt.format_schema = "{}";
  }
  ~Bench() { pool.stop_blocking(); }
  static Options options(const HttpImposter& server) {
    Options out;
    out.url = server.url();
    out.attempts = 1;
    out.time_limit = 300ms;
    out.response_limit = 64_KiB;
    out.breaker_failures = 100;
    return out;
  }
  runtime::Async<Answer> ask() { return ollama.explain(Deadline::after(10s), prompt); }

  telemetry::Metrics metrics;
  HttpImposter server;
  SystemClock clock;
  runtime::BlockingPool pool;
  std::unique_ptr<webclient::Client> web;
  Ollama ollama;
  Prompt prompt;
};

CORO_TEST(OllamaServer, MisbehaviourIsBoundedAndRecoveryFollows) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  struct Case {
    Reply reply;
    Errc code;
  };
  const Case cases[] = {
      {Reply{200, "", "", {}, 0ms, Shape::silent}, Errc::timeout},
      {Reply{200, kSound, "application/json", {}, 20ms, Shape::trickle}, Errc::timeout},
      {Reply{200, std::string(4096, ' '), "application/json", {}, 0ms, Shape::endless}, Errc::too_large},
      {Reply{200, kSound, "application/json", {}, 0ms, Shape::cut}, Errc::unavailable},
      {Reply{200, "", "", {}, 0ms, Shape::hang_up}, Errc::unavailable},
      {Reply{200, "\x15\x03\x01", "", {}, 0ms, Shape::raw}, Errc::unavailable},
      {Reply{200, "<html>welcome</html>", "text/html"}, Errc::corrupt},
      {Reply{302, "", "", {{"Location", "http://169.254.169.254/"}}}, Errc::unavailable},
  };
  for (const Case& wanted : cases) {
    bench.server.when("POST", "/api/generate", wanted.reply);
    Result<Answer> answer = co_await bench.ask();
    CO_ASSERT_TRUE(!answer);
    EXPECT_EQ(answer.error().code, wanted.code) << answer.error().message;
  }
  bench.server.when("POST", "/api/generate", Reply{200, kSound});
  Result<Answer> answer = co_await bench.ask();
  CO_ASSERT_OK(answer);
  EXPECT_EQ(answer->explanation.root_cause, "a");
}

}  // namespace
}  // namespace sensus::llm
