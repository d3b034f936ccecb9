#include "sensus/webclient/client.hpp"

#include "support/coro_test.hpp"
#include "support/http_imposter.hpp"

#include <gtest/gtest.h>

#include <boost/asio/this_coro.hpp>

#include <cstdlib>

namespace sensus::webclient {
namespace {

using test::HttpImposter;
using Reply = HttpImposter::Reply;
using Shape = HttpImposter::Shape;

/// A pool, a client and a server for one test. Made inside the coroutine, since the pool needs its executor.
struct Bench {
  explicit Bench(runtime::Executor executor)
      : pool(executor, runtime::BlockingPoolOptions{"web", 1, 8}, metrics), client(make_curl_client(pool)) {}
  ~Bench() { pool.stop_blocking(); }

  [[nodiscard]] OutRequest get(const std::string& target) const {
    OutRequest request;
    request.url = server.url() + target;
    return request;
  }

  telemetry::Metrics metrics;
  HttpImposter server;
  runtime::BlockingPool pool;
  std::unique_ptr<Client> client;
};

CORO_TEST(CurlClient, SendsMethodHeadersAndBodyAndReturnsTheAnswer) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("POST", "/hook?x=1", Reply{201, "made", "text/plain; charset=utf-8"});
  OutRequest request = bench.get("/hook?x=1");
  request.method = "POST";
  request.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
  request.body = std::string("{\"a\":\0}", 7);
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(5s), std::move(request));
  CO_ASSERT_OK(response);
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "made");
  EXPECT_EQ(response->content_type, "text/plain; charset=utf-8");
  const auto calls = bench.server.calls();
  CO_ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].body, std::string("{\"a\":\0}", 7));
  EXPECT_EQ(calls[0].header("content-type"), "application/json");
  EXPECT_EQ(calls[0].header("expect"), "");
}

CORO_TEST(CurlClient, ReusesTheConnectionAndForgetsTheRequestBefore) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("POST", "/a", Reply{200, "a"});
  bench.server.when("GET", "/b", Reply{200, "b"});
  OutRequest first = bench.get("/a");
  first.method = "POST";
  first.headers = {{"Authorization", "Bearer first"}};
  first.body = "body";
  Result<OutResponse> a = co_await bench.client->send(Deadline::after(5s), std::move(first));
  Result<OutResponse> b = co_await bench.client->send(Deadline::after(5s), bench.get("/b"));
  CO_ASSERT_OK(a);
  CO_ASSERT_OK(b);
  const auto calls = bench.server.calls();
  CO_ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[1].method, "GET");
  EXPECT_EQ(calls[1].body, "");
  EXPECT_EQ(calls[1].header("authorization"), "");
  EXPECT_EQ(bench.server.connections_accepted(), 1u);
}

CORO_TEST(CurlClient, AnyStatusIsAResponseAndRedirectsAreNotFollowed) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("GET", "/moved", Reply{302, "", "", {{"Location", bench.server.url() + "/secret"}}});
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(5s), bench.get("/moved"));
  CO_ASSERT_OK(response);
  EXPECT_EQ(response->status, 302);
  EXPECT_EQ(bench.server.calls().size(), 1u);
}

CORO_TEST(CurlClient, ProxiesOfTheEnvironmentAreIgnored) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("GET", "/", Reply{200, "direct"});
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);
  ::setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(5s), bench.get("/"));
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  CO_ASSERT_OK(response);
  EXPECT_EQ(response->body, "direct");
}

CORO_TEST(CurlClient, ABodyAtTheLimitPassesAndOneByteMoreDoesNot) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("GET", "/1000", Reply{200, std::string(1000, 'x')});
  bench.server.when("GET", "/1001", Reply{200, std::string(1001, 'x')});
  OutRequest fits = bench.get("/1000");
  fits.response_limit = ByteSize{1000};
  OutRequest over = bench.get("/1001");
  over.response_limit = ByteSize{1000};
  Result<OutResponse> good = co_await bench.client->send(Deadline::after(5s), std::move(fits));
  Result<OutResponse> bad = co_await bench.client->send(Deadline::after(5s), std::move(over));
  CO_ASSERT_OK(good);
  EXPECT_EQ(good->body.size(), 1000u);
  CO_ASSERT_TRUE(!bad);
  EXPECT_EQ(bad.error().code, Errc::too_large);
}

CORO_TEST(CurlClient, AnEndlessBodyIsCutAtTheLimit) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("GET", "/", Reply{200, std::string(4096, ' '), "application/json", {}, 0ms, Shape::endless});
  OutRequest request = bench.get("/");
  request.response_limit = 256_KiB;
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(10s), std::move(request));
  CO_ASSERT_TRUE(!response);
  EXPECT_EQ(response.error().code, Errc::too_large);
}

CORO_TEST(CurlClient, EndlessHeadersAreCut) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  std::string raw = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 3000; ++i) {
    raw += "X-Header-" + std::to_string(i) + ": " + std::string(40, 'y') + "\r\n";
  }
  bench.server.when("GET", "/", Reply{200, raw + "Content-Length: 0\r\n\r\n", "", {}, 0ms, Shape::raw});
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(10s), bench.get("/"));
  CO_ASSERT_TRUE(!response);
  EXPECT_EQ(response.error().code, Errc::too_large);
}

CORO_TEST(CurlClient, ASilentServerMeetsTheDeadlineAndIsLetGo) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("GET", "/", Reply{200, "", "", {}, 0ms, Shape::silent});
  bench.server.when("GET", "/ok", Reply{200, "ok"});
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(100ms), bench.get("/"));
  CO_ASSERT_TRUE(!response);
  EXPECT_EQ(response.error().code, Errc::timeout);
  Result<OutResponse> next = co_await bench.client->send(Deadline::after(5s), bench.get("/ok"));
  CO_ASSERT_OK(next);
  EXPECT_EQ(next->body, "ok");
}

CORO_TEST(CurlClient, AnAnswerThatDriesUpEndsAtTheIdleLimit) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("GET", "/", Reply{200, std::string(100, 'x'), "text/plain", {}, 400ms, Shape::trickle});
  OutRequest request = bench.get("/");
  request.idle_limit = 200ms;
  const auto started = std::chrono::steady_clock::now();
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(20s), std::move(request));
  CO_ASSERT_TRUE(!response);
  EXPECT_EQ(response.error().code, Errc::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 10s);
}

CORO_TEST(CurlClient, RefusedCutAndGarbageAreUnavailable) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  bench.server.when("GET", "/cut", Reply{200, std::string(1000, 'x'), "text/plain", {}, 0ms, Shape::cut});
  bench.server.when("GET", "/gone", Reply{200, "", "", {}, 0ms, Shape::hang_up});
  bench.server.when("GET", "/garbage", Reply{200, "SSH-2.0-OpenSSH_9.2\r\n", "", {}, 0ms, Shape::raw});
  for (const std::string target : {"/cut", "/gone", "/garbage"}) {
    Result<OutResponse> response = co_await bench.client->send(Deadline::after(5s), bench.get(target));
    CO_ASSERT_TRUE(!response);
    EXPECT_EQ(response.error().code, Errc::unavailable) << target << ": " << response.error().message;
  }
  OutRequest refused;
  refused.url = "http://user:hunter2@127.0.0.1:1/";
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(5s), std::move(refused));
  CO_ASSERT_TRUE(!response);
  EXPECT_EQ(response.error().code, Errc::unavailable);
  EXPECT_EQ(response.error().message.find("hunter2"), std::string::npos);
}

CORO_TEST(CurlClient, OtherSchemesAndInjectedLinesAreRefused) {
  const runtime::Executor executor = co_await boost::asio::this_coro::executor;
  Bench bench(executor);
  for (const std::string url : {"file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "not a url", "",
                                "http://127.0.0.1/\r\nX: y"}) {
    OutRequest request;
    request.url = url;
    Result<OutResponse> response = co_await bench.client->send(Deadline::after(5s), std::move(request));
    CO_ASSERT_TRUE(!response);
    EXPECT_EQ(response.error().code, Errc::invalid_input) << url;
  }
  OutRequest header = bench.get("/");
  header.headers = {{"X-A", "b\r\nX-Injected: c"}};
  Result<OutResponse> response = co_await bench.client->send(Deadline::after(5s), std::move(header));
  CO_ASSERT_TRUE(!response);
  EXPECT_EQ(response.error().field, "headers");
  EXPECT_TRUE(bench.server.calls().empty());
}

}  // namespace
}  // namespace sensus::webclient
