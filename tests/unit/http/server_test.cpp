#include "inflate.hpp"
#include "test_server.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>

namespace sensus::http::test {
namespace {

using boost::asio::awaitable;

awaitable<Response> large_json(const Request&) {
  co_return Response::json(200, "[" + std::string(300'000, '1') + "]");
}

awaitable<Response> sized(const Request& request) {
  const std::string length(request.query_value("n").value_or("0"));
  co_return Response::json(200, std::string(std::stoul(length), 'x'));
}

awaitable<Response> ids(const Request& request) { co_return Response::text(200, request.id + " " + request.trace_id); }

awaitable<Response> not_ready(const Request&) { co_return Response::json(503, "{}"); }

awaitable<Response> throws(const Request&) {
  throw std::runtime_error("secret inside");
  co_return Response::empty(204);
}

awaitable<Response> nothing(const Request&) { co_return Response::empty(204); }

awaitable<Response> all_headers(const Request& request) {
  std::string text;
  for (const auto& [name, value] : request.headers) {
    text += name + "=" + value + ";";
  }
  co_return Response::text(200, std::move(text));
}

class ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    server_.router.add(route(Method::get, "/echo", echo));
    server_.router.add(route(Method::post, "/echo", echo));
    server_.router.add(route(Method::get, "/large", large_json));
    server_.router.add(route(Method::get, "/sized", sized));
    server_.router.add(route(Method::get, "/ids", ids));
    server_.router.add(route(Method::get, "/throws", throws));
    Route probe = route(Method::get, "/probe", not_ready);
    probe.probe = true;
    server_.router.add(std::move(probe));
    server_.router.add(route(Method::get, "/nothing", nothing));
    server_.router.add(route(Method::post, "/headers", all_headers));
    server_.start();
  }
  TestServer server_;
};

TEST_F(ServerTest, AnswersOnOneConnectionAgainAndAgain) {
  RawClient client(server_.port);
  for (int i = 0; i < 3; ++i) {
    const RawResponse get = client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(get.status, 200);
    EXPECT_EQ(get.body, "GET /echo ");
    const RawResponse post = client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_EQ(post.body, "POST /echo hello");
    EXPECT_EQ(post.header("connection"), "");
    EXPECT_EQ(post.header("x-content-type-options"), "nosniff");
    EXPECT_EQ(post.header("date").size(), 29U);
  }
}

TEST_F(ServerTest, RequestsByteByByte) {
  RawClient client(server_.port);
  for (const char c : std::string_view("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")) {
    client.send({&c, 1});
  }
  EXPECT_EQ(client.read().body, "POST /echo abcde");
}

TEST_F(ServerTest, AHundredPipelinedRequestsComeBackInOrder) {
  RawClient client(server_.port);
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    const std::string body = std::to_string(i);
    requests += "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  client.send(requests);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(client.read().body, "POST /echo " + std::to_string(i));
  }
  EXPECT_EQ(server_.metric(R"(http_requests_total{endpoint="/echo",method="POST",status="200"})"), 100);
}

TEST_F(ServerTest, AbortInThePipelineHurtsNobody) {
  {
    RawClient client(server_.port);
    client.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /la");
  }
  RawClient other(server_.port);
  EXPECT_EQ(other.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

TEST_F(ServerTest, LargeBodiesBothWays) {
  RawClient client(server_.port);
  const std::string body(60'000, 'b');
  const RawResponse post = client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n" + body);
  EXPECT_EQ(post.body, "POST /echo " + body);
  EXPECT_EQ(client.ask("GET /large HTTP/1.1\r\nHost: h\r\n\r\n").body.size(), 300'002U);
}

TEST_F(ServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  RawClient client(server_.port);
  client.send("HEAD /large HTTP/1.1\r\nHost: h\r\n\r\n");
  const RawResponse head = client.read(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "300002");
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /echo ") << "no byte of a body came between";
}

TEST_F(ServerTest, NoContentHasNoLength) {
  RawClient client(server_.port);
  const RawResponse none = client.ask("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(none.status, 204);
  EXPECT_EQ(none.header("content-length"), "");
}

TEST_F(ServerTest, ConnectionCloseIsHonoured) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, Http10ClosesUnlessAskedToStay) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").header("connection"), "keep-alive");
  EXPECT_EQ(client.ask("GET /echo HTTP/1.0\r\n\r\n").header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST_F(ServerTest, AnEmptyLineBetweenRequestsIsForgiven) {
  RawClient client(server_.port);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read().body, "POST /echo x");
  EXPECT_EQ(client.read().body, "GET /echo ");
}

TEST_F(ServerTest, GzipFrom1KiBWhenAccepted) {
  RawClient client(server_.port);
  const std::string ask = " HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n";
  const RawResponse small = client.ask("GET /sized?n=1023" + ask);
  EXPECT_EQ(small.header("content-encoding"), "");
  EXPECT_EQ(small.header("vary"), "");
  const RawResponse packed = client.ask("GET /sized?n=1024" + ask);
  EXPECT_EQ(packed.header("content-encoding"), "gzip");
  EXPECT_EQ(packed.header("vary"), "Accept-Encoding");
  EXPECT_EQ(inflate(packed.body), std::string(1024, 'x'));
  const RawResponse large = client.ask("GET /large" + ask);
  EXPECT_EQ(inflate(large.body).size(), 300'002U);
  EXPECT_LT(large.body.size(), 10'000U);
}

TEST_F(ServerTest, NoGzipWhenForbidden) {
  RawClient client(server_.port);
  for (const char* header : {"", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n"}) {
    const RawResponse plain = client.ask(std::string("GET /sized?n=2000 HTTP/1.1\r\nHost: h\r\n") + header + "\r\n");
    EXPECT_EQ(plain.header("content-encoding"), "");
    EXPECT_EQ(plain.header("vary"), "Accept-Encoding");
    EXPECT_EQ(plain.body.size(), 2000U);
  }
}

TEST_F(ServerTest, RequestIdsAndTraceIds) {
  RawClient client(server_.port);
  const RawResponse given = client.ask(
      "GET /ids HTTP/1.1\r\nHost: h\r\nX-Request-Id: my.id-1\r\n"
      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n");
  EXPECT_EQ(given.header("x-request-id"), "my.id-1");
  EXPECT_EQ(given.body, "my.id-1 0af7651916cd43dd8448eb211c80319c");
  const RawResponse made =
      client.ask("GET /ids HTTP/1.1\r\nHost: h\r\nX-Request-Id: not ok\r\ntraceparent: 00-x\r\n\r\n");
  EXPECT_EQ(made.header("x-request-id").size(), 16U);
  EXPECT_EQ(made.body.size(), 16U + 1 + 32);
}

TEST_F(ServerTest, RefusalsAreProblemsAndKeepTheConnection) {
  RawClient client(server_.port);
  const RawResponse absent = client.ask("GET /absent HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(absent.status, 404);
  EXPECT_EQ(absent.header("content-type"), "application/problem+json");
  EXPECT_EQ(absent.header("x-request-id").size(), 16U);
  const RawResponse method = client.ask("DELETE /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("allow"), "GET, HEAD, POST");
  EXPECT_EQ(client.ask("TRACE /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 405);
  EXPECT_EQ(client.ask("BREW /absent HTTP/1.1\r\nHost: h\r\n\r\n").status, 405);
  EXPECT_EQ(client.ask("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n").status, 405);
  EXPECT_EQ(client.ask("GET /%2e%2e/echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 400);
  EXPECT_EQ(client.ask("GET http://h//echo HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /echo ");
  EXPECT_EQ(server_.metric(R"(http_requests_total{endpoint="unmatched",method="GET",status="404"})"), 1);
  EXPECT_EQ(server_.metric(R"(http_requests_total{endpoint="unmatched",method="other",status="405"})"), 3);
  EXPECT_EQ(server_.metric(R"(sensus_http_requests_refused_total{reason="target"})"), 1);
}

TEST_F(ServerTest, AThrowingHandlerIs500AndLogged) {
  RawClient client(server_.port);
  const RawResponse failed = client.ask("GET /throws HTTP/1.1\r\nHost: h\r\nX-Request-Id: find-me\r\n\r\n");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.header("content-type"), "application/problem+json");
  EXPECT_EQ(failed.body.find("secret"), std::string::npos);
  EXPECT_EQ(client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n").status, 200) << "the connection lives on";
  EXPECT_NE(server_.log_text().find("secret inside"), std::string::npos);
  EXPECT_NE(server_.log_text().find("find-me"), std::string::npos);
  EXPECT_EQ(server_.metric(R"(http_requests_errors_total{endpoint="/throws"})"), 1);
}

TEST_F(ServerTest, A503OfAProbeIsAnAnswerNotAFailure) {
  RawClient client(server_.port);
  EXPECT_EQ(client.ask("GET /probe HTTP/1.1\r\nHost: h\r\n\r\n").status, 503);
  EXPECT_EQ(server_.metric(R"(http_requests_total{endpoint="/probe",method="GET",status="503"})"), 1);
  EXPECT_EQ(server_.metric(R"(http_requests_errors_total{endpoint="/probe"})"), 0);
  EXPECT_EQ(server_.log_text().find("request failed"), std::string::npos);
}

TEST_F(ServerTest, LogsEachRequestAndNeverABody) {
  RawClient client(server_.port);
  client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nX-Request-Id: find-me\r\n\r\ntop-value");
  client.ask("GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(server_.log_text().find("find-me"), std::string::npos);
  EXPECT_EQ(server_.log_text().find("top-value"), std::string::npos);
}

/// Lines of requests that a server shows at info with this access_log, after three good requests, a probe and a refusal.
std::vector<std::string> access_lines(const std::string& access_log) {
  TestServer server;
  server.options.access_log = access_log;
  server.router.add(route(Method::get, "/echo", echo));
  Route probe = route(Method::get, "/probe", echo);
  probe.probe = true;
  server.router.add(probe);
  server.start();
  RawClient client(server.port);
  for (const char* path : {"/echo", "/echo", "/echo", "/probe", "/absent"}) {
    client.ask(std::string("GET ") + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
  }
  std::vector<std::string> lines;
  std::istringstream text(server.log_text());
  for (std::string line; std::getline(text, line);) {
    if (line.find("\"info\"") != std::string::npos && line.find("\"request") != std::string::npos) {
      lines.push_back(line);
    }
  }
  return lines;
}

TEST(AccessLog, ShowsAsMuchAsIsAskedFor) {
  EXPECT_EQ(access_lines("refused").size(), 1U) << "the 404";
  EXPECT_EQ(access_lines("sampled").size(), 2U) << "and one of the good ones";
  const std::vector<std::string> all = access_lines("all");
  ASSERT_EQ(all.size(), 4U) << "all but the probe";
  for (const std::string& line : all) {
    EXPECT_NE(line.find("trace_id"), std::string::npos) << line;
  }
}

TEST_F(ServerTest, TrailersNeverBecomeHeaders) {
  RawClient client(server_.port);
  const RawResponse seen = client.ask(
      "POST /headers HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\nx\r\n0\r\nAuthorization: Bearer evil\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n");
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.body, "Host=h;Transfer-Encoding=chunked;");
}

TEST_F(ServerTest, ContinueComesBeforeTheBody) {
  RawClient client(server_.port);
  const std::string head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(client.ask(head).status, 100);
  EXPECT_EQ(client.ask("hello").body, "POST /echo hello");
  client.send(head + "hello");
  EXPECT_EQ(client.read().body, "POST /echo hello") << "no 100 for a client that did not wait";
}

TEST_F(ServerTest, ContinueIsNotSentToWhatIsRefused) {
  RawClient client(server_.port);
  const RawResponse refused =
      client.ask("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.header("connection"), "close");
  RawClient absent(server_.port);
  EXPECT_EQ(absent.ask("POST /absent HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").status,
            404);
}

TEST(ServerListen, SaysWhoIsInTheWay) {
  TestServer first;
  first.start();
  runtime::Runtime reactor;
  Options options;
  options.listen = {"127.0.0.1:" + std::to_string(first.port)};
  Server second(reactor.executor(), options, first.router, {}, first.metrics);
  const Result<> listening = second.listen();
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().code, Errc::unavailable);
  EXPECT_NE(listening.error().message.find(options.listen[0]), std::string::npos);
}

TEST(ServerListen, RefusesAddressesThatAreNone) {
  runtime::Runtime reactor;
  telemetry::Metrics metrics;
  Router router;
  for (const char* address : {"8080", "localhost", "::1:80", "h:70000", "h:x", ""}) {
    Options options;
    options.listen = {address};
    Server server(reactor.executor(), options, router, {}, metrics);
    EXPECT_FALSE(server.listen()) << address;
  }
}

TEST(ServerListen, SeveralAddresses) {
  runtime::Runtime reactor;
  telemetry::Metrics metrics;
  Router router;
  Options options;
  options.listen = {"127.0.0.1:0", "localhost:0", ":0", "*:0"};
  Server server(reactor.executor(), options, router, {}, metrics);
  const Result<> listening = server.listen();
  ASSERT_TRUE(listening) << listening.error().message;
  ASSERT_EQ(server.local_endpoints().size(), 4U);
  EXPECT_TRUE(server.local_endpoints()[0].starts_with("127.0.0.1:"));
  EXPECT_TRUE(server.local_endpoints()[2].starts_with("0.0.0.0:"));
}

}  // namespace
}  // namespace sensus::http::test
