#include "test_server.hpp"

#include "sensus/runtime/signal.hpp"

#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace sensus::http::test {
namespace {

using boost::asio::awaitable;
using std::chrono::steady_clock;

/// Waits for what never comes; heeds cancellation only.
awaitable<Response> stuck(const Request&) {
  auto executor = co_await boost::asio::this_coro::executor;
  runtime::Signal never(executor);
  co_await never.wait(Deadline::never());
  co_return Response::empty(204);
}

/// Gives up by itself when told.
awaitable<Response> obedient(const Request& request) {
  auto executor = co_await boost::asio::this_coro::executor;
  runtime::Signal never(executor);
  const Deadline deadline = min(request.deadline, Deadline::after(std::chrono::milliseconds{1}));
  const bool notified = co_await never.wait(deadline);
  co_return Response::text(200, notified ? "notified" : "in time");
}

awaitable<Response> huge(const Request&) { co_return Response::text(200, std::string(32'000'000, 'z')); }

class ServerTimeout : public testing::Test {
 protected:
  ServerTimeout() {
    server_.router.add(route(Method::get, "/echo", echo));
    server_.router.add(route(Method::post, "/echo", echo));
    server_.router.add(route(Method::get, "/huge", huge));
    Route never = route(Method::get, "/stuck", stuck);
    never.deadline = std::chrono::milliseconds{100};
    server_.router.add(std::move(never));
    server_.router.add(route(Method::get, "/obedient", obedient));
  }
  [[nodiscard]] std::chrono::milliseconds took() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began_);
  }
  double timeouts(const std::string& phase) {
    return server_.metric("sensus_http_timeouts_total{phase=\"" + phase + "\"}");
  }
  TestServer server_;
  steady_clock::time_point began_ = steady_clock::now();
};

TEST_F(ServerTimeout, AConnectionThatSendsNothingIsClosed) {
  server_.options.header_timeout = std::chrono::milliseconds{100};
  server_.start();
  RawClient client(server_.port);
  EXPECT_TRUE(client.closed());
  EXPECT_GE(took().count(), 90);
  EXPECT_EQ(timeouts("header"), 1);
}

TEST_F(ServerTimeout, ASlowHeadGets408) {
  server_.options.header_timeout = std::chrono::milliseconds{100};
  server_.start();
  RawClient client(server_.port);
  client.send("GET /echo HTTP/1.1\r\nHost:");
  const RawResponse late = client.read();
  EXPECT_EQ(late.status, 408);
  EXPECT_EQ(late.header("connection"), "close");
  EXPECT_EQ(late.header("content-type"), "application/problem+json");
  client.shutdown_send();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(timeouts("header"), 1);
}

TEST_F(ServerTimeout, DribblingDoesNotExtendTheDeadlineOfTheHead) {
  server_.options.header_timeout = std::chrono::milliseconds{200};
  server_.start();
  RawClient client(server_.port);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  std::atomic<bool> answered{false};
  std::thread dribble([&] {
    std::size_t sent = 0;
    while (!answered && sent < 10'000 && client.send("X")) {
      ++sent;
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
  });
  EXPECT_EQ(client.read().status, 408);
  answered = true;
  dribble.join();
  EXPECT_LT(took().count(), 5000);
}

TEST_F(ServerTimeout, ASlowBodyGets408) {
  server_.options.body_timeout = std::chrono::milliseconds{100};
  server_.start();
  RawClient client(server_.port);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello");
  EXPECT_EQ(client.read().status, 408);
  EXPECT_EQ(timeouts("body"), 1);
  RawClient chunked(server_.port);
  chunked.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  EXPECT_EQ(chunked.read().status, 408);
}

TEST_F(ServerTimeout, AnIdleConnectionIsClosed) {
  server_.options.idle_timeout = std::chrono::milliseconds{100};
  server_.start();
  RawClient client(server_.port);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(timeouts("idle"), 1);
}

TEST_F(ServerTimeout, AClientThatDoesNotReadHoldsUpNobodyAndIsCutAtTheEnd) {
  server_.start();
  RawClient client(server_.port, 4096);
  client.send("GET /huge HTTP/1.1\r\nHost: h\r\n\r\n");
  RawClient other(server_.port);
  EXPECT_EQ(other.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_EQ(server_.stop(std::chrono::milliseconds{200}), "1 HTTP connections had to be cut");
  EXPECT_LT(client.read_all().size(), 32'000'000U);
}

TEST_F(ServerTimeout, AStuckHandlerGets503) {
  server_.start();
  RawClient client(server_.port);
  const RawResponse late = client.ask("GET /stuck HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.header("retry-after"), "1");
  EXPECT_EQ(late.header("content-type"), "application/problem+json");
  EXPECT_GE(took().count(), 90);
  EXPECT_EQ(timeouts("handler"), 1);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200) << "the connection lives on";
  EXPECT_EQ(client.ask("GET /obedient HTTP/1.1\r\nHost: h\r\n\r\n").body, "in time");
  EXPECT_EQ(client.ask("GET /stuck HTTP/1.1\r\nHost: h\r\n\r\n").status, 503) << "and its handlers can be cancelled again";
}

TEST_F(ServerTimeout, AnEarlierAnswerDoesNotWaitForASlowHandler) {
  server_.router.add([] {
    Route slow = route(Method::get, "/slow", stuck);
    slow.deadline = std::chrono::seconds{1};
    return slow;
  }());
  server_.start();
  RawClient client(server_.port);
  client.send("GET /echo HTTP/1.1\r\nHost: h\r\n\r\nGET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read().status, 200);
  EXPECT_LT(took().count(), 900);
  EXPECT_EQ(client.read().status, 503);
  EXPECT_GE(took().count(), 900);
}

}  // namespace
}  // namespace sensus::http::test
