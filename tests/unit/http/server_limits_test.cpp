#include "test_server.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace sensus::http::test {
namespace {

class ServerLimits : public testing::Test {
 protected:
  void SetUp() override {
    server_.options.header_limit = ByteSize{1024};
    server_.options.header_count_max = 8;
    server_.options.connections_max = 3;
    server_.options.body_memory = 3_MiB;
    Route post = route(Method::post, "/echo", echo);
    post.body_limit = 1000;
    post.content_types = {"application/json"};
    post.produces = {"text/plain"};
    server_.router.add(std::move(post));
    Route large = route(Method::post, "/large", echo);
    large.body_limit = 8 * 1024 * 1024;
    server_.router.add(std::move(large));
    server_.router.add(route(Method::get, "/echo", echo));
    server_.start();
  }
  static std::string post(std::size_t length) {
    return "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n" +
           std::string(length, 'x');
  }
  static std::string head_of(std::size_t bytes) {
    const std::string head = "GET /echo HTTP/1.1\r\nHost: h\r\nX: ";
    return head + std::string(bytes - head.size() - 4, 'x') + "\r\n\r\n";
  }
  TestServer server_;
};

TEST_F(ServerLimits, BodiesOfAllConnectionsShareTheirMemory) {
  const std::string head = "POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: ";
  const std::string mebibyte(1 << 20, 'x');
  RawClient slow(server_.port);
  ASSERT_TRUE(slow.send(head + std::to_string(2 * mebibyte.size()) + "\r\n\r\n" + mebibyte));
  while (server_.metric("sensus_http_body_bytes") < static_cast<double>(mebibyte.size())) {
    std::this_thread::yield();
  }
  RawClient large(server_.port);
  const RawResponse refused = large.ask(head + std::to_string(5 * mebibyte.size()) + "\r\n\r\n");
  EXPECT_EQ(refused.status, 503) << "told by the length that it does not fit beside the first";
  EXPECT_EQ(refused.header("retry-after"), "1");
  EXPECT_EQ(refused.header("connection"), "close");
  EXPECT_EQ(server_.metric(R"(sensus_http_requests_refused_total{reason="body_memory"})"), 1);
  RawClient small(server_.port);
  EXPECT_EQ(small.ask(head + "5\r\n\r\nhello").status, 200) << "there is room for this one";
  ASSERT_TRUE(slow.send(mebibyte));
  EXPECT_EQ(slow.read().status, 200);
  EXPECT_EQ(slow.ask(head + std::to_string(5 * mebibyte.size()) + "\r\n\r\n" + std::string(5 * mebibyte.size(), 'x')).status, 200)
      << "larger than the limit, but alone";
  EXPECT_EQ(server_.metric("sensus_http_body_bytes"), 0);
}

TEST_F(ServerLimits, ABodyOfUnknownLengthIsRefusedWhenItHasGrownTooLarge) {
  const std::string mebibyte(1 << 20, 'x');
  RawClient slow(server_.port);
  ASSERT_TRUE(slow.send("POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: 2097152\r\n\r\n" + mebibyte));
  while (server_.metric("sensus_http_body_bytes") < static_cast<double>(mebibyte.size())) {
    std::this_thread::yield();
  }
  RawClient chunked(server_.port);
  std::string request = "POST /large HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 4; ++i) {
    request += "100000\r\n" + mebibyte + "\r\n";
  }
  ASSERT_TRUE(chunked.send(request + "0\r\n\r\n"));
  EXPECT_EQ(chunked.read().status, 503);
}

TEST_F(ServerLimits, HeadBytes) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask(head_of(1024)).status, 200);
  const RawResponse refused = client.ask(head_of(1025));
  EXPECT_EQ(refused.status, 431);
  EXPECT_EQ(refused.header("content-type"), "application/problem+json");
  EXPECT_EQ(refused.header("connection"), "close");
  EXPECT_EQ(server_.metric(R"(sensus_http_requests_refused_total{reason="head_too_large"})"), 1);
}

TEST_F(ServerLimits, HeadBytesAreCountedOverAllReads) {
  RawClient client(server_.port);
  client.send("GET /echo HTTP/1.1\r\nHost: h\r\n");
  for (int i = 0; i < 7; ++i) {
    client.send("X: " + std::string(250, 'x') + "\r\n");
  }
  EXPECT_EQ(client.read().status, 431);
}

TEST_F(ServerLimits, HeadFields) {
  const auto with_fields = [](int count) {
    std::string head = "GET /echo HTTP/1.1\r\nHost: h\r\n";
    for (int i = 1; i < count; ++i) {
      head += "X" + std::to_string(i) + ": y\r\n";
    }
    return head + "\r\n";
  };
  RawClient client(server_.port);
  EXPECT_EQ(client.ask(with_fields(8)).status, 200);
  EXPECT_EQ(client.ask(with_fields(9)).status, 431);
}

TEST_F(ServerLimits, BodyOfKnownLength) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask(post(1000)).status, 200);
  const RawResponse refused = client.ask(post(1001));
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.header("connection"), "close");
  EXPECT_EQ(server_.metric(R"(sensus_http_requests_refused_total{reason="body_too_large"})"), 1);
  EXPECT_EQ(server_.metric(R"(http_requests_total{endpoint="/echo",method="POST",status="413"})"), 1);
}

TEST_F(ServerLimits, ATooLargeBodyIsRefusedBeforeItIsSent) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n").status, 413);
}

TEST_F(ServerLimits, TheAnswerToATooLargeBodyCanBeReadWhileItIsSent) {
  RawClient client(server_.port);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n");
  client.send(std::string(500'000, 'x'));
  EXPECT_EQ(client.read().status, 413);
  client.shutdown_send();
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerLimits, ChunkedBody) {
  const auto chunked = [](int chunks) {
    std::string request = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < chunks; ++i) {
      request += "64\r\n" + std::string(100, 'x') + "\r\n";
    }
    return request;
  };
  RawClient client(server_.port);
  EXPECT_EQ(client.ask(chunked(10) + "0\r\n\r\n").status, 200);
  EXPECT_EQ(client.ask(chunked(10) + "1\r\nx\r\n0\r\n\r\n").status, 413);
}

TEST_F(ServerLimits, EndlessChunkExtension) {
  RawClient client(server_.port);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;a=" + std::string(9000, 'x'));
  EXPECT_EQ(client.read().status, 400);
}

TEST_F(ServerLimits, EndlessTrailer) {
  RawClient client(server_.port);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " + std::string(9000, 'x'));
  EXPECT_EQ(client.read().status, 400);
}

TEST_F(ServerLimits, ALargeBodyWithinItsLimitArrivesWhole) {
  const std::string body(5'000'000, 'y');
  RawClient client(server_.port);
  client.send("POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n");
  client.send(body);
  EXPECT_TRUE(client.read().body == "POST /large " + body);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

TEST_F(ServerLimits, MediaTypesCodingsAndAccept) {
  const auto ask = [this](const std::string& header) {
    RawClient client(server_.port);
    const std::string head = "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n";
    const int status = client.ask(head + header + "\r\n\r\n{}").status;
    client.shutdown_send();
    EXPECT_TRUE(client.closed());
    return status;
  };
  EXPECT_EQ(ask("Content-Type: application/json"), 200);
  EXPECT_EQ(ask("Content-Type: application/x-www-form-urlencoded"), 415);
  EXPECT_EQ(ask("Content-Encoding: gzip"), 415);
  EXPECT_EQ(ask("Content-Encoding: identity\r\nContent-Encoding: gzip"), 415);
  EXPECT_EQ(ask("Content-Encoding: identity"), 200);
  EXPECT_EQ(ask("Accept: image/png"), 406);
  EXPECT_EQ(ask("Accept: text/*"), 200);
  EXPECT_EQ(ask("Expect: magic"), 417);
}

TEST_F(ServerLimits, OneConnectionTooMany) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<RawClient>(server_.port));
    EXPECT_EQ(clients.back()->ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  }
  RawClient fourth(server_.port);
  const RawResponse refused = fourth.read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "1");
  EXPECT_EQ(refused.header("content-type"), "application/problem+json");
  EXPECT_EQ(server_.metric(R"(sensus_http_connections_rejected_total{reason="connections_max"})"), 1);
  EXPECT_EQ(server_.connections(), 3U);
  EXPECT_EQ(clients[0]->ask("GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").status, 200);
  EXPECT_TRUE(clients[0]->closed());
  // The server closes its end a moment before it counts the place as free.
  while (server_.connections() == 3U) {
    std::this_thread::yield();
  }
  RawClient fifth(server_.port);
  EXPECT_EQ(fifth.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

}  // namespace
}  // namespace sensus::http::test
