#include "sensus/http/router.hpp"

#include <gtest/gtest.h>

namespace sensus::http {
namespace {

boost::asio::awaitable<Response> nothing(const Request&) { co_return Response::empty(204); }

Route made(Method method, std::string pattern) {
  Route route;
  route.method = method;
  route.pattern = std::move(pattern);
  route.handler = nothing;
  return route;
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    router_.add(made(Method::get, "/"));
    router_.add(made(Method::get, "/api/{kind}/{id}"));
    router_.add(made(Method::get, "/api/alerts/{id}"));
    router_.add(made(Method::get, "/api/alerts/latest"));
    router_.add(made(Method::get, "/api/alerts"));
    router_.add(made(Method::post, "/api/alerts"));
    router_.add(made(Method::del, "/api/alerts/{id}"));
  }
  std::string pattern(Method method, std::string_view path) {
    const auto found = router_.find(method, path);
    const auto* match = std::get_if<Router::Match>(&found);
    return match == nullptr ? "" : match->route->pattern;
  }
  std::string allow(Method method, std::string_view path) {
    const auto found = router_.find(method, path);
    const auto* refused = std::get_if<Router::MethodNotAllowed>(&found);
    return refused == nullptr ? "" : refused->allow;
  }
  bool absent(std::string_view path) {
    const auto found = router_.find(Method::get, path);
    return std::holds_alternative<Router::NotFound>(found);
  }
  Router router_;
};

TEST_F(RouterTest, TheMostSpecificPatternWins) {
  EXPECT_EQ(pattern(Method::get, "/"), "/");
  EXPECT_EQ(pattern(Method::get, "/api/alerts"), "/api/alerts");
  EXPECT_EQ(pattern(Method::get, "/api/alerts/latest"), "/api/alerts/latest");
  EXPECT_EQ(pattern(Method::get, "/api/alerts/7"), "/api/alerts/{id}");
  EXPECT_EQ(pattern(Method::get, "/api/other/7"), "/api/{kind}/{id}");
  EXPECT_EQ(pattern(Method::del, "/api/alerts/latest"), "/api/alerts/{id}") << "the exact path has no DELETE";
}

TEST_F(RouterTest, ParametersAreNamed) {
  const auto found = router_.find(Method::get, "/api/series/42");
  const auto& match = std::get<Router::Match>(found);
  EXPECT_EQ(match.path_params, (std::vector<std::pair<std::string, std::string>>{{"kind", "series"}, {"id", "42"}}));
}

TEST_F(RouterTest, GetAnswersHead) {
  EXPECT_EQ(pattern(Method::head, "/api/alerts"), "/api/alerts");
  EXPECT_EQ(pattern(Method::head, "/api/alerts/7"), "/api/alerts/{id}");
}

TEST_F(RouterTest, OtherMethodsAreNotAllowed) {
  EXPECT_EQ(allow(Method::put, "/api/alerts"), "GET, HEAD, POST");
  EXPECT_EQ(allow(Method::post, "/api/alerts/latest"), "GET, HEAD, DELETE");
  EXPECT_EQ(allow(Method::other, "/"), "GET, HEAD");
}

TEST_F(RouterTest, EverythingElseIsAbsent) {
  EXPECT_TRUE(absent("/api"));
  EXPECT_TRUE(absent("/api/alerts/"));
  EXPECT_TRUE(absent("/api/alerts/7/x"));
  EXPECT_TRUE(absent("/API/alerts"));
  EXPECT_TRUE(absent("*"));
  EXPECT_TRUE(absent(""));
}

TEST_F(RouterTest, ACopyFindsItsOwnRoutes) {
  const Router copy = router_;
  const auto found = copy.find(Method::get, "/api/alerts");
  EXPECT_EQ(std::get<Router::Match>(found).route, &copy.routes()[4]);
}

TEST(RouterDeathTest, TheSameRouteTwiceIsABug) {
  Router router;
  router.add(made(Method::get, "/a"));
  EXPECT_DEATH(router.add(made(Method::get, "/a")), "method");
}

}  // namespace
}  // namespace sensus::http
