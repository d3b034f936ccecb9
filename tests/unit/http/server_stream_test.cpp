#include "test_server.hpp"

#include "sensus/runtime/signal.hpp"

#include <boost/asio/this_coro.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>

namespace sensus::http::test {
namespace {

using boost::asio::awaitable;
using Producer = std::function<runtime::Task(BodyWriter&)>;

runtime::Task three_events(BodyWriter& writer) {
  for (int i = 1; i <= 3; ++i) {
    std::string event = "data: " + std::to_string(i) + "\n\n";
    const Result<> written = co_await writer.write(std::move(event));
    if (!written) {
      co_return;
    }
  }
}

struct SetAtEnd {
  std::atomic<bool>* flag;
  ~SetAtEnd() { *flag = true; }
};

/// One event, then silence until somebody ends it.
runtime::Task one_event_then_wait(BodyWriter& writer, std::atomic<bool>* ended) {
  const SetAtEnd note{ended};
  std::string event = "data: 1\n\n";
  const Result<> written = co_await writer.write(std::move(event));
  if (!written) {
    co_return;
  }
  auto executor = co_await boost::asio::this_coro::executor;
  runtime::Signal never(executor);
  co_await never.wait(Deadline::never());
}

runtime::Task endless(BodyWriter& writer, std::atomic<int>* outcome) {
  while (true) {
    std::string chunk(1'000'000, 'e');
    const Result<> written = co_await writer.write(std::move(chunk));
    if (!written) {
      *outcome = static_cast<int>(written.error().code);
      co_return;
    }
  }
}

runtime::Task breaks(BodyWriter& writer) {
  std::string event = "data: 1\n\n";
  const Result<> written = co_await writer.write(std::move(event));
  throw std::runtime_error(written ? "broken stream" : "never began");
}

awaitable<Response> respond(Producer producer) {
  Response response;
  response.content_type = "text/event-stream";
  response.headers.add("Cache-Control", "no-store");
  response.stream = std::move(producer);
  co_return response;
}

class ServerStream : public testing::Test {
 protected:
  void add(std::string pattern, Producer producer) {
    Route made = route(Method::get, std::move(pattern), [producer](const Request&) { return respond(producer); });
    made.deadline = std::chrono::milliseconds{100};
    made.produces = {"text/event-stream"};
    server_.router.add(std::move(made));
  }
  void SetUp() override {
    add("/three", three_events);
    add("/wait", [this](BodyWriter& writer) { return one_event_then_wait(writer, &ended_); });
    add("/endless", [this](BodyWriter& writer) { return endless(writer, &outcome_); });
    add("/breaks", breaks);
    server_.router.add(route(Method::get, "/echo", echo));
    server_.options.write_timeout = std::chrono::milliseconds{100};
    server_.start();
  }
  template <class Condition>
  static bool wait_until(Condition condition) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!condition() && std::chrono::steady_clock::now() < limit) {
      std::this_thread::yield();
    }
    return condition();
  }
  std::atomic<bool> ended_{false};
  std::atomic<int> outcome_{-1};
  TestServer server_;
};

TEST_F(ServerStream, IsChunkedAndTheConnectionStays) {
  RawClient client(server_.port);
  const RawResponse streamed = client.ask("GET /three HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n\r\n");
  EXPECT_EQ(streamed.status, 200);
  EXPECT_EQ(streamed.header("transfer-encoding"), "chunked");
  EXPECT_EQ(streamed.header("content-type"), "text/event-stream");
  EXPECT_EQ(streamed.header("cache-control"), "no-store");
  EXPECT_EQ(streamed.body, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

TEST_F(ServerStream, Http10EndsWithTheConnection) {
  RawClient client(server_.port);
  client.send("GET /three HTTP/1.0\r\n\r\n");
  const std::string all = client.read_all();
  EXPECT_EQ(all.substr(all.find("\r\n\r\n") + 4), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
}

TEST_F(ServerStream, HeadHasNoBody) {
  RawClient client(server_.port);
  client.send("HEAD /three HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read(true).status, 200);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /echo ");
}

TEST_F(ServerStream, OutlivesTheDeadlineOfHandlersAndEndsOnDrain) {
  RawClient client(server_.port);
  client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read(true).status, 200);
  EXPECT_EQ(client.read_chunk(), "data: 1\n\n");
  const auto deadline_passed = std::chrono::steady_clock::now() + std::chrono::milliseconds{150};
  EXPECT_TRUE(wait_until([&] { return std::chrono::steady_clock::now() > deadline_passed; }));
  EXPECT_FALSE(ended_);
  EXPECT_EQ(server_.stop(std::chrono::seconds{5}), "");
  EXPECT_TRUE(ended_);
  EXPECT_EQ(client.read_all(), "0\r\n\r\n") << "the body is complete";
}

TEST_F(ServerStream, NoticesThatTheClientLeft) {
  RawClient client(server_.port);
  client.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read(true).status, 200);
  EXPECT_EQ(client.read_chunk(), "data: 1\n\n");
  client.close();
  EXPECT_TRUE(wait_until([this] { return ended_ && server_.connections() == 0; }));
}

TEST_F(ServerStream, ASlowReaderIsCut) {
  RawClient client(server_.port, 4096);
  client.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read(true).status, 200);
  EXPECT_TRUE(wait_until([this] { return outcome_ == static_cast<int>(Errc::timeout); }));
  EXPECT_TRUE(wait_until([this] { return server_.connections() == 0; }));
  EXPECT_EQ(server_.metric(R"(sensus_http_timeouts_total{phase="write"})"), 1);
}

TEST_F(ServerStream, ABrokenProducerLeavesTheBodyUnfinished) {
  RawClient client(server_.port);
  client.send("GET /breaks HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string all = client.read_all();
  EXPECT_TRUE(all.ends_with("9\r\ndata: 1\n\n\r\n")) << all;
  EXPECT_NE(server_.log_text().find("broken stream"), std::string::npos);
}

}  // namespace
}  // namespace sensus::http::test
