#include "http/request_parser_internal.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sensus::http {
namespace {

using State = RequestParser::State;

/// Feeds `text` in pieces of `step` bytes and keeps what was not consumed, as a session does.
struct Feeding {
  explicit Feeding(std::string_view text, std::size_t step = 1'000'000, std::size_t body_limit = 1000,
               ParserLimits limits = {})
      : parser(limits) {
    parser.reset(request, target);
    bool in_body = false;
    for (std::size_t at = 0; at < text.size(); at += step) {
      pending += text.substr(at, step);
      if (!in_body) {
        fed = parser.feed_head(pending);
        pending.erase(0, fed.consumed);
        in_body = fed.state == State::head_done;
        if (in_body) {
          parser.set_body_limit(body_limit);
        }
      }
      if (in_body) {
        fed = parser.feed_body(pending);
        pending.erase(0, fed.consumed);
      }
      if (fed.state != State::need_more) {
        rest = pending + std::string(text.substr(std::min(text.size(), at + step)));
        return;
      }
    }
  }
  Request request;
  std::string target;
  RequestParser parser;
  RequestParser::Fed fed;
  std::string pending;
  std::string rest;
};

const std::string kPost =
    "POST /a?b=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Request-Id: r\r\n\r\nhelloGET";
const std::string kChunked =
    "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3;ext=1\r\nabc\r\n0002\r\nde\r\n0\r\nAuthorization: evil\r\n\r\nGET";

class RequestParserSteps : public testing::TestWithParam<std::size_t> {};

TEST_P(RequestParserSteps, ReadsABodyOfKnownLength) {
  const Feeding run(kPost, GetParam());
  EXPECT_EQ(run.fed.state, State::done);
  EXPECT_EQ(run.request.method, Method::post);
  EXPECT_EQ(run.request.method_text, "POST");
  EXPECT_EQ(run.target, "/a?b=1");
  EXPECT_EQ(run.request.headers.get("host"), "h");
  EXPECT_EQ(run.request.body, "hello");
  EXPECT_EQ(run.rest, "GET") << "the next request stays untouched";
  EXPECT_TRUE(run.parser.facts().has_request_id);
  EXPECT_TRUE(run.parser.facts().keep_alive);
}

TEST_P(RequestParserSteps, ReadsChunksAndDropsTrailers) {
  const Feeding run(kChunked, GetParam());
  EXPECT_EQ(run.fed.state, State::done);
  EXPECT_EQ(run.request.body, "abcde");
  EXPECT_EQ(run.rest, "GET");
  EXPECT_FALSE(run.request.headers.contains("Authorization"));
  EXPECT_EQ(run.request.headers.size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(Pieces, RequestParserSteps, testing::Values(1, 2, 3, 7, 50, 1000));

TEST(RequestParser, HeadBytesAtTheLimitAndOneMore) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const std::size_t step : {std::size_t{1}, std::size_t{10}, std::size_t{1000}}) {
    EXPECT_EQ(Feeding(head, step, 0, {head.size(), 10}).fed.state, State::done) << step;
    EXPECT_EQ(Feeding(head, step, 0, {head.size() - 1, 10}).fed.state, State::head_too_large) << step;
  }
}

TEST(RequestParser, HeadFieldsAtTheLimitAndOneMore) {
  const std::string head = "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n";
  EXPECT_EQ(Feeding(head, 1000, 0, {1000, 3}).fed.state, State::done);
  EXPECT_EQ(Feeding(head, 1000, 0, {1000, 2}).fed.state, State::head_too_large);
}

TEST(RequestParser, AnEndlessLineIsRefusedAtTheLimit) {
  const std::string line = "GET /" + std::string(2000, 'a');
  EXPECT_EQ(Feeding(line, 100, 0, {1000, 10}).fed.state, State::head_too_large);
}

TEST(RequestParser, ChunkedBodyAtTheLimitAndOneMore) {
  EXPECT_EQ(Feeding(kChunked, 1000, 5).fed.state, State::done);
  EXPECT_EQ(Feeding(kChunked, 1000, 4).fed.state, State::body_too_large);
}

TEST(RequestParser, EndlessChunkExtensionAndTrailerAreRefused) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(Feeding(head + "5;a=" + std::string(20'000, 'x'), 1000).fed.state, State::malformed);
  EXPECT_EQ(Feeding(head + "0\r\nX: " + std::string(20'000, 'x'), 1000).fed.state, State::malformed);
}

TEST(RequestParser, AResetBeginsAFreshRequest) {
  Feeding run(kPost);
  run.parser.reset(run.request, run.target);
  EXPECT_EQ(run.request.body, "");
  EXPECT_TRUE(run.request.headers.empty());
  const auto fed = run.parser.feed_head("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(fed.state, State::done);
  EXPECT_FALSE(run.parser.facts().http11);
  EXPECT_FALSE(run.parser.facts().keep_alive);
  EXPECT_FALSE(run.parser.facts().has_request_id);
}

TEST(RequestParser, NamesTheFault) {
  EXPECT_EQ(Feeding("G@T / HTTP/1.1\r\n").fed.fault, "the request line is malformed");
  EXPECT_EQ(Feeding("GET / HTTP/3.0\r\n\r\n").fed.fault, "the request line does not end in HTTP/1.1 or HTTP/1.0");
  EXPECT_EQ(Feeding("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n").fed.fault, "Content-Length is not one decimal number");
  EXPECT_EQ(Feeding("GET / HTTP/1.1\r\nbad header: x\r\n\r\n").fed.fault, "a header field is malformed");
}

}  // namespace
}  // namespace sensus::http
