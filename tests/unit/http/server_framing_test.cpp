#include "test_server.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace sensus::http::test {
namespace {

/// Requests that mean one thing to one parser and another to the next. Each is followed by a second request in the same write, which
/// must never be executed. All are answered 400 with a problem and the connection closes.
struct Smuggle {
  std::string name;
  std::string request;
};
void PrintTo(const Smuggle& smuggle, std::ostream* out) { *out << smuggle.name; }

const std::string kPost = "POST /echo HTTP/1.1\r\nHost: h\r\n";
const std::string kChunks = "5\r\nhello\r\n0\r\n\r\n";

std::vector<Smuggle> corpus() {
  using namespace std::string_literals;
  const std::string chunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";
  return {
      {"te_gzip", kPost + "Transfer-Encoding: gzip\r\n\r\n"},
      {"te_xchunked", kPost + "Transfer-Encoding: xchunked\r\n\r\n" + kChunks},
      {"te_chunked_identity", kPost + "Transfer-Encoding: chunked, identity\r\n\r\n" + kChunks},
      {"te_gzip_chunked", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n" + kChunks},
      {"te_identity", kPost + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"},
      {"te_empty", kPost + "Transfer-Encoding:\r\n\r\n"},
      {"te_quoted", kPost + "Transfer-Encoding: \"chunked\"\r\n\r\n" + kChunks},
      {"te_gzip_then_cl", kPost + "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"},
      {"cl_then_te_gzip", kPost + "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n\r\nhello"},
      {"cl_then_te", kPost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + kChunks},
      {"te_then_cl", kPost + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + kChunks},
      {"te_twice", kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + kChunks},
      {"te_twice_other", kPost + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n" + kChunks},
      {"te_http10", "POST /echo HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + kChunks},
      {"te_space_before_colon", kPost + "Transfer-Encoding : chunked\r\n\r\n" + kChunks},
      {"te_vertical_tab", kPost + "Transfer-Encoding:\x0b" + "chunked\r\n\r\n" + kChunks},
      {"te_folded", kPost + "Transfer-Encoding:\r\n chunked\r\n\r\n" + kChunks},
      {"cl_plus", kPost + "Content-Length: +5\r\n\r\nhello"},
      {"cl_minus", kPost + "Content-Length: -5\r\n\r\nhello"},
      {"cl_space", kPost + "Content-Length: 1 3\r\n\r\nhello"},
      {"cl_hex", kPost + "Content-Length: 0x5\r\n\r\nhello"},
      {"cl_empty", kPost + "Content-Length:\r\n\r\nhello"},
      {"cl_list", kPost + "Content-Length: 5, 5\r\n\r\nhello"},
      {"cl_list_other", kPost + "Content-Length: 5, 6\r\n\r\nhello"},
      {"cl_twice", kPost + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
      {"cl_twice_other", kPost + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
      {"cl_overflow", kPost + "Content-Length: 18446744073709551621\r\n\r\nhello"},
      {"cl_folded", kPost + "Content-Length: 5\r\n 0\r\n\r\nhello"},
      {"bare_lf", "POST /echo HTTP/1.1\nHost: h\nContent-Length: 5\n\nhello"},
      {"bare_lf_in_fields", kPost + "A: b\nContent-Length: 5\r\n\r\nhello"},
      {"bare_cr", kPost + "A: b\rC: d\r\n\r\n"},
      {"nul_in_value", kPost + "A: b\0c\r\n\r\n"s},
      {"nul_in_name", kPost + "A\0B: c\r\n\r\n"s},
      {"space_in_name", kPost + "A B: c\r\n\r\n"},
      {"no_name", kPost + ": c\r\n\r\n"},
      {"folded", kPost + "A: b\r\n c\r\nContent-Length: 0\r\n\r\n"},
      {"space_before_first_field", "POST /echo HTTP/1.1\r\n Host: h\r\n\r\n"},
      {"chunk_bare_lf_extension", chunked + "5;a=\nhello\r\n0\r\n\r\n"},
      {"chunk_size_bare_lf", chunked + "5\nhello\r\n0\r\n\r\n"},
      {"chunk_size_overflow", chunked + "ffffffffffffffff1\r\nhello\r\n0\r\n\r\n"},
      {"chunk_size_plus", chunked + "+5\r\nhello\r\n0\r\n\r\n"},
      {"chunk_size_prefix", chunked + "0x5\r\nhello\r\n0\r\n\r\n"},
      {"chunk_size_empty", chunked + "\r\nhello\r\n0\r\n\r\n"},
      {"chunk_without_crlf", chunked + "5\r\nhelloXX0\r\n\r\n"},
      {"host_twice", "GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"host_twice_same", "GET /echo HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"host_none", "GET /echo HTTP/1.1\r\n\r\n"},
      {"host_empty", "GET /echo HTTP/1.1\r\nHost:\r\n\r\n"},
      {"host_user", "GET /echo HTTP/1.1\r\nHost: a@b\r\n\r\n"},
      {"host_path", "GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"http_09", "GET /echo\r\n\r\n"},
      {"http_2_preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"http_12", "GET /echo HTTP/1.2\r\nHost: h\r\n\r\n"},
      {"two_spaces", "GET  /echo HTTP/1.1\r\nHost: h\r\n\r\n"},
      {"tab", "GET\t/echo\tHTTP/1.1\r\nHost: h\r\n\r\n"},
      {"tls_hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s},
  };
}

class ServerFraming : public testing::TestWithParam<Smuggle> {};

TEST_P(ServerFraming, IsRefusedAndNothingBehindItRuns) {
  TestServer server;
  server.router.add(route(Method::get, "/echo", echo));
  server.router.add(route(Method::post, "/echo", echo));
  server.router.add(route(Method::get, "/smuggled", echo));
  server.start();
  RawClient client(server.port);
  client.send(GetParam().request + "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
  const RawResponse refused = client.read();
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.header("content-type"), "application/problem+json");
  EXPECT_EQ(refused.header("connection"), "close");
  EXPECT_EQ(refused.header("x-request-id").size(), 16U);
  client.shutdown_send();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(server.metric(R"(http_requests_total{endpoint="/smuggled",method="GET",status="200"})"), -1);
  EXPECT_EQ(server.metric(R"(http_requests_total{endpoint="/echo",method="POST",status="200"})"), -1);
}

INSTANTIATE_TEST_SUITE_P(Corpus, ServerFraming, testing::ValuesIn(corpus()),
                         [](const auto& one) { return one.param.name; });

class ServerFramingLegal : public testing::Test {
 protected:
  void SetUp() override {
    server_.router.add(route(Method::get, "/echo", echo));
    server_.router.add(route(Method::post, "/echo", echo));
    server_.start();
  }
  TestServer server_;
};

TEST_F(ServerFramingLegal, AGetMayHaveABodyAndItIsTakenOut) {
  RawClient client(server_.port);
  client.send("GET /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read().body, "GET /echo hello");
  EXPECT_EQ(client.read().body, "GET /echo ");
}

TEST_F(ServerFramingLegal, ChunkSizesWithZerosAndExtensions) {
  RawClient client(server_.port);
  const RawResponse answered = client.ask(
      kPost + "Transfer-Encoding: Chunked\r\n\r\n0005;name=\"va;lue\"\r\nhello\r\n000\r\n\r\n");
  EXPECT_EQ(answered.body, "POST /echo hello");
}

TEST_F(ServerFramingLegal, ContentLengthWithZeros) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask(kPost + "Content-Length: 0005\r\n\r\nhello").body, "POST /echo hello");
}

}  // namespace
}  // namespace sensus::http::test
