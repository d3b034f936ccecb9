#pragma once

#include "fakes.hpp"

#include "sensus/runtime/runtime.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sensus::api::test {

using Query = std::vector<std::pair<std::string, std::string>>;
using nlohmann::json;

inline runtime::Task run_handler(const http::Route& route, http::Request& request, http::Response& out) {
  auto handling = route.handler(request);
  out = co_await std::move(handling);
}

/// Calls a route as the server would, without a socket.
class ApiTest : public ::testing::Test {
 protected:
  World world;

  http::Response call(http::Method method, const std::string& path, Query query = {}, std::string body = {},
                      http::Headers headers = {}) {
    if (!router_) {
      router_ = world.make();
    }
    http::Response response;
    const auto found = router_->find(method, path);
    const auto* match = std::get_if<http::Router::Match>(&found);
    EXPECT_NE(match, nullptr) << "no route for " << path;
    if (match == nullptr) {
      return response;
    }
    http::Request request;
    request.method = method;
    request.path = path;
    request.query = std::move(query);
    request.path_params = match->path_params;
    request.headers = std::move(headers);
    request.body = std::move(body);
    request.peer = "10.0.0.7";
    request.id = "req-1";
    request.route = match->route->pattern;
    request.deadline = Deadline::after(std::chrono::seconds{5});
    runtime::Runtime reactor;
    reactor.run_until_done(run_handler(*match->route, request, response));
    return response;
  }
  http::Response get(const std::string& path, Query query = {}) { return call(http::Method::get, path, std::move(query)); }
  http::Response post(const std::string& path, std::string body) {
    return call(http::Method::post, path, {}, std::move(body));
  }
  json get_json(const std::string& path, Query query = {}) {
    const http::Response response = get(path, std::move(query));
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.content_type, "application/json");
    return json::parse(response.body, nullptr, false);
  }
  /// Expects a problem of this status about this field.
  void expect_problem(const http::Response& response, int status, const std::string& field = {}) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.content_type, "application/problem+json");
    const json body = json::parse(response.body, nullptr, false);
    ASSERT_TRUE(body.is_object()) << response.body;
    EXPECT_EQ(body.value("status", 0), status);
    EXPECT_EQ(body.value("field", ""), field) << response.body;
    EXPECT_FALSE(body.value("detail", "").empty());
  }

 private:
  std::optional<http::Router> router_;
};

}  // namespace sensus::api::test
