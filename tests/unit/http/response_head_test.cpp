#include "http/response_head_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::http {
namespace {

TEST(ResponseHead, HasEveryField) {
  Response response = Response::json(202, "{}");
  response.headers.add("X-Extra", "1");
  HeadOptions options;
  options.request_id = "abc";
  options.date = "D";
  options.body_bytes = 2;
  std::string out = "before ";
  append_head(response, options, out);
  EXPECT_EQ(out,
            "before HTTP/1.1 202 Accepted\r\nDate: D\r\nX-Request-Id: abc\r\nX-Content-Type-Options: nosniff\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\nX-Extra: 1\r\n\r\n");
}

TEST(ResponseHead, FramingAndConnection) {
  std::string out;
  HeadOptions options;
  options.framing = BodyFraming::chunked;
  options.close = true;
  append_head(Response::empty(200), options, out);
  EXPECT_NE(out.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_NE(out.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(out.find("Content-Length"), std::string::npos);
  out.clear();
  options.framing = BodyFraming::none;
  options.close = false;
  options.keep_alive_http10 = true;
  append_head(Response::empty(204), options, out);
  EXPECT_NE(out.find("Connection: keep-alive\r\n"), std::string::npos);
  EXPECT_EQ(out.find("Content-Length"), std::string::npos);
}

TEST(ResponseHead, NoFieldBreaksOutOfItsLine) {
  Response response = Response::text(200, "");
  response.headers.add("X-Bad", "a\r\nSet-Cookie: evil=1");
  response.headers.add("X-Bad\r\nSet-Cookie", "b");
  response.headers.add("X-Good", "c\td");
  std::string out;
  append_head(response, {}, out);
  EXPECT_EQ(out.find("Set-Cookie"), std::string::npos);
  EXPECT_NE(out.find("X-Good: c\td\r\n"), std::string::npos);
}

TEST(ResponseHead, DateIsImfFixdate) {
  EXPECT_EQ(render_http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(render_http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(ResponseHead, BodilessStatuses) {
  EXPECT_TRUE(is_bodiless(100));
  EXPECT_TRUE(is_bodiless(204));
  EXPECT_TRUE(is_bodiless(304));
  EXPECT_FALSE(is_bodiless(200));
  EXPECT_FALSE(is_bodiless(404));
}

}  // namespace
}  // namespace sensus::http
