#include "test_server.hpp"

#include "sensus/runtime/signal.hpp"

#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <atomic>

namespace sensus::http::test {
namespace {

using boost::asio::awaitable;

/// Lets a test hold a handler until it says go.
struct Gate {
  std::atomic<bool> entered{false};
  std::atomic<bool> open{false};

  static awaitable<Response> pass(Gate* gate) {
    gate->entered = true;
    auto executor = co_await boost::asio::this_coro::executor;
    runtime::Signal pause(executor);
    while (!gate->open) {
      co_await pause.wait(Deadline::after(std::chrono::milliseconds{1}));
    }
    co_return Response::text(200, "passed");
  }
  void wait_entered() const {
    while (!entered) {
      std::this_thread::yield();
    }
  }
};

class ServerDrain : public testing::Test {
 protected:
  void SetUp() override {
    server_.router.add(route(Method::get, "/echo", echo));
    server_.router.add(route(Method::post, "/echo", echo));
    server_.router.add(route(Method::get, "/gate", [this](const Request&) { return Gate::pass(&gate_); }));
    server_.start();
  }
  void TearDown() override { gate_.open = true; }
  /// True once the server takes no connection any more.
  [[nodiscard]] bool refuses() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server_.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool refused = ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0;
    ::close(fd);
    return refused;
  }
  void wait_refuses() const {
    while (!refuses()) {
      std::this_thread::yield();
    }
  }
  Gate gate_;
  TestServer server_;
};

TEST_F(ServerDrain, IdleConnectionsCloseAtOnce) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_EQ(server_.stop(std::chrono::seconds{5}), "");
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(refuses());
  EXPECT_EQ(server_.connections(), 0U);
  EXPECT_EQ(server_.metric("sensus_http_connections"), 0);
}

TEST_F(ServerDrain, RequestsInFlightAreAnsweredWithClose) {
  RawClient client(server_.port);
  client.send("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n");
  gate_.wait_entered();
  auto stopped = server_.begin_stop(std::chrono::seconds{5});
  wait_refuses();
  gate_.open = true;
  const RawResponse answered = client.read();
  EXPECT_EQ(answered.status, 200);
  EXPECT_EQ(answered.body, "passed");
  EXPECT_EQ(answered.header("connection"), "close");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(stopped.get(), "");
}

TEST_F(ServerDrain, ARequestHalfSentIsStillAnswered) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").status, 100);
  auto stopped = server_.begin_stop(std::chrono::seconds{5});
  wait_refuses();
  const RawResponse answered = client.ask("hello");
  EXPECT_EQ(answered.body, "POST /echo hello");
  EXPECT_EQ(answered.header("connection"), "close");
  EXPECT_EQ(stopped.get(), "");
}

TEST_F(ServerDrain, WhatIsLeftAtTheDeadlineIsCut) {
  RawClient client(server_.port);
  client.send("GET /gate HTTP/1.1\r\nHost: h\r\n\r\n");
  gate_.wait_entered();
  EXPECT_EQ(server_.stop(std::chrono::milliseconds{50}), "1 HTTP connections had to be cut");
  EXPECT_EQ(client.read().status, 0);
  EXPECT_EQ(server_.connections(), 0U);
}

TEST_F(ServerDrain, StoppingTwiceIsHarmless) {
  EXPECT_EQ(server_.stop(std::chrono::seconds{5}), "");
  EXPECT_EQ(server_.stop(std::chrono::seconds{5}), "");
}

}  // namespace
}  // namespace sensus::http::test
