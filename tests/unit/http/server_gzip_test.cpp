#include "http/gzip_internal.hpp"
#include "test_server.hpp"

#include <gtest/gtest.h>

namespace sensus::http::test {
namespace {

constexpr std::size_t kLimit = 1'000'000;

std::string gzip(std::string_view text) {
  GzipEncoder encoder;
  std::string packed;
  encoder.append(text, true, packed);
  return packed;
}

boost::asio::awaitable<Response> show(const Request& request) {
  co_return Response::text(
      200, std::string(request.headers.get("Content-Encoding")) + " " + request.body);
}

Response shout(const Request& request, Response refusal) {
  refusal.content_type = "text/plain";
  refusal.body = "refused on " + request.path;
  return refusal;
}

class ServerGzip : public testing::Test {
 protected:
  void SetUp() override {
    Route post = route(Method::post, "/gzip", show);
    post.body_limit = kLimit;
    post.content_encodings = {"gzip", "own"};
    server_.router.add(std::move(post));
    Route own = route(Method::post, "/own", show);
    own.body_limit = 10;
    own.content_encodings = {"gzip"};
    own.refusal = shout;
    server_.router.add(std::move(own));
    server_.start();
  }
  RawResponse post(const std::string& body, const std::string& encoding = "gzip",
                   const std::string& path = "/gzip") {
    return client_->ask("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Encoding: " + encoding +
                        "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  double refused(const std::string& reason) {
    return server_.metric("sensus_http_requests_refused_total{reason=\"" + reason + "\"}");
  }
  TestServer server_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(ServerGzip, BodiesAreUnpackedBeforeTheHandler) {
  client_ = std::make_unique<RawClient>(server_.port);
  EXPECT_EQ(post(gzip("hello")).body, "identity hello");
  EXPECT_EQ(post(gzip("hello"), "GZip").body, "identity hello");
  EXPECT_EQ(post("plain", "identity").body, "identity plain");
  EXPECT_EQ(post(gzip("two ") + gzip("members")).body, "identity two members")
      << "RFC 1952 allows several";
  const std::string large(900'000, 'x');
  EXPECT_EQ(post(gzip(large)).body, "identity " + large);
  EXPECT_EQ(post("", "gzip").status, 200) << "no body, nothing packed";
}

TEST_F(ServerGzip, OtherEncodingsAreTheHandlersOwn) {
  client_ = std::make_unique<RawClient>(server_.port);
  EXPECT_EQ(post("raw", "own").body, "own raw");
  const RawResponse refusal = post("raw", "deflate");
  EXPECT_EQ(refusal.status, 415);
  EXPECT_NE(refusal.body.find("gzip, own"), std::string::npos);
}

TEST_F(ServerGzip, TheLimitHoldsForWhatComesOut) {
  client_ = std::make_unique<RawClient>(server_.port);
  EXPECT_EQ(post(gzip(std::string(kLimit, 'x'))).status, 200);
  const RawResponse bomb = post(gzip(std::string(50 * kLimit, 'x')));
  EXPECT_EQ(bomb.status, 413);
  EXPECT_EQ(refused("body_too_large"), 1);
  EXPECT_EQ(post(gzip(std::string(kLimit, 'x')) + gzip("y")).status, 413) << "over all members";
  EXPECT_EQ(post(gzip("still open")).body, "identity still open");
}

TEST_F(ServerGzip, WhatIsNoGzipIs400) {
  client_ = std::make_unique<RawClient>(server_.port);
  const std::string packed = gzip("hello hello hello");
  std::string damaged = packed;
  damaged[packed.size() - 6] =
      static_cast<char>(damaged[packed.size() - 6] ^ 1);  // Of the checksum.
  for (const std::string& body :
       {std::string("plain text"), packed.substr(0, packed.size() - 1), packed.substr(0, 12),
        damaged, packed + "behind", std::string("\x1F")}) {
    EXPECT_EQ(post(body).status, 400);
  }
  EXPECT_EQ(refused("content_encoding"), 6);
}

TEST_F(ServerGzip, ARouteSaysItsRefusalsItself) {
  client_ = std::make_unique<RawClient>(server_.port);
  EXPECT_EQ(post("x", "deflate", "/own").body, "refused on /own");
  client_ = std::make_unique<RawClient>(server_.port);
  EXPECT_EQ(post("x", "gzip", "/own").body, "refused on /own");
  const RawResponse large = post(gzip(std::string(100, 'x')).substr(0, 9), "gzip", "/own");
  EXPECT_EQ(large.status, 400);
  const RawResponse announced = post(std::string(11, 'x'), "identity", "/own");
  EXPECT_EQ(announced.status, 413);
  EXPECT_EQ(announced.header("content-type"), "text/plain");
}

}  // namespace
}  // namespace sensus::http::test
