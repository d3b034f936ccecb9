#include "api_fixture.hpp"

namespace sensus::api::test {
namespace {

TEST_F(ApiTest, DocsLoadNothingFromElsewhere) {
  const http::Response page = get("/docs");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_NE(page.headers.get("Content-Security-Policy").find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(page.body.find("http://"), std::string::npos);
  EXPECT_EQ(page.body.find("https://"), std::string::npos);
  EXPECT_EQ(page.body.find("<script>"), std::string::npos);
  EXPECT_EQ(page.body.find("style="), std::string::npos);
}

TEST_F(ApiTest, DocsAssetsHaveTheirTypes) {
  EXPECT_EQ(get("/docs/page.js").content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(get("/docs/page.css").content_type, "text/css; charset=utf-8");
  EXPECT_EQ(get("/docs/page.js").body.find("innerHTML"), std::string::npos);
  expect_problem(get("/docs/secret.txt"), 404);
}

TEST_F(ApiTest, IndexLeadsToRoutesThatExist) {
  const json body = get_json("/");
  EXPECT_EQ(body["version"], "1.2.3");
  const http::Router router = world.make();
  for (const auto& [name, path] : body["links"].items()) {
    const auto found = router.find(http::Method::get, path.get<std::string>());
    EXPECT_TRUE(std::holds_alternative<http::Router::Match>(found)) << name;
  }
}

}  // namespace
}  // namespace sensus::api::test
