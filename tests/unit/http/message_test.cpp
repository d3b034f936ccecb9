#include "sensus/http/message.hpp"

#include <gtest/gtest.h>

namespace sensus::http {
namespace {

TEST(Headers, NamesCompareWithoutCase) {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("ACCEPT", "b");
  EXPECT_EQ(headers.get("accept"), "a");
  EXPECT_EQ(headers.get_joined("Accept"), "a, b");
  EXPECT_TRUE(headers.contains("aCCept"));
  EXPECT_EQ(headers.get("Host"), "");
  EXPECT_FALSE(headers.contains("Host"));
}

TEST(Headers, SetReplacesOrAdds) {
  Headers headers;
  headers.set("ETag", "1");
  headers.set("etag", "2");
  EXPECT_EQ(headers.size(), 1U);
  EXPECT_EQ(headers.get("ETag"), "2");
}

TEST(Request, QueryAndPathParameters) {
  Request request;
  request.query = {{"a", "1"}, {"b", "2"}, {"a", "3"}};
  request.path_params = {{"id", "7"}};
  EXPECT_EQ(request.query_value("a"), "1");
  EXPECT_EQ(request.query_value("c"), std::nullopt);
  EXPECT_EQ(request.query_values("a"), (std::vector<std::string_view>{"1", "3"}));
  EXPECT_EQ(request.path_param("id"), "7");
  EXPECT_EQ(request.path_param("x"), "");
}

TEST(Problem, IsEscapedJson) {
  const Response response = Response::problem(400, "invalid_input", "Invalid", "a \"quote\" \\ \n and \xff byte", "x[0]");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body,
            R"({"type":"about:blank","title":"Invalid","status":400,)"
            R"("detail":"a \"quote\" \\ \u000a and \ufffd byte","code":"invalid_input","field":"x[0]"})");
}

TEST(Problem, ErrorsBecomeTheirStatus) {
  EXPECT_EQ(to_response(make_error(Errc::invalid_input, "m", "f")).status, 400);
  EXPECT_EQ(to_response(make_error(Errc::not_found, "m")).status, 404);
  EXPECT_EQ(to_response(make_error(Errc::too_large, "m")).status, 413);
  const Response busy = to_response(make_error(Errc::overloaded, "queue full"));
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.headers.get("Retry-After"), "1");
  EXPECT_NE(busy.body.find("queue full"), std::string::npos);
}

TEST(Problem, InternalErrorsSayNothingOfTheInside) {
  const Response response = to_response(make_error(Errc::internal, "SELECT secret FROM users"));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("SELECT"), std::string::npos);
}

}  // namespace
}  // namespace sensus::http
