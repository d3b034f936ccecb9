#include "api_fixture.hpp"

#include <atomic>
#include <thread>

namespace sensus::api::test {
namespace {

std::string sample_json(int i) { return R"({"metric_name":"m","metric_value":1,"labels":{"i":")" + std::to_string(i) + "\"}}"; }

std::string large_array() {
  std::string body = "[";
  for (int i = 0; body.size() < 2 * 1024 * 1024; ++i) {
    body += (i > 0 ? "," : "") + sample_json(i);
  }
  return body + "]";
}

runtime::Task run_all(runtime::BlockingPool& pool, const http::Router& router, const std::string& path, std::string body,
                      http::Response& out) {
  const auto found = router.find(http::Method::post, path);
  http::Request request;
  request.method = http::Method::post;
  request.path = path;
  request.body = std::move(body);
  request.deadline = Deadline::after(std::chrono::seconds{20});
  auto handling = std::get<http::Router::Match>(found).route->handler(request);
  out = co_await std::move(handling);
  pool.stop_blocking();
}

/// Posts over a reactor whose parse pool is there, as in the daemon.
class LargeBodies : public ::testing::Test {
 protected:
  http::Response post(const std::string& path, std::string body, bool stopped = false) {
    runtime::Runtime reactor;
    telemetry::Metrics pool_metrics;
    runtime::BlockingPoolOptions options;
    options.name = "parse";
    runtime::BlockingPool pool(reactor.executor(), options, pool_metrics);
    if (stopped) {
      pool.stop_blocking();
    }
    world.parse_pool = &pool;
    const http::Router router = world.make();
    http::Response out;
    reactor.run_until_done(run_all(pool, router, path, std::move(body), out));
    const std::string page = pool_metrics.render();
    on_the_pool = page.find("sensus_runtime_pool_run_seconds_count{pool=\"parse\"} 1") != std::string::npos;
    return out;
  }

  World world;
  bool on_the_pool = false;
};

TEST_F(LargeBodies, AreReadOnThePool) {
  const http::Response response = post("/api/v1/metrics", large_array());
  EXPECT_EQ(response.status, 202) << response.body;
  EXPECT_TRUE(on_the_pool);
}

TEST_F(LargeBodies, SmallOnesAreReadAtOnce) {
  EXPECT_EQ(post("/api/v1/metrics", "[" + sample_json(1) + "]").status, 202);
  EXPECT_FALSE(on_the_pool);
}

TEST_F(LargeBodies, ABadOneIsRefusedAsEver) {
  std::string body = large_array();
  body.back() = '}';
  EXPECT_EQ(post("/api/v1/metrics", std::move(body)).status, 400);
  EXPECT_TRUE(on_the_pool);
  EXPECT_NE(world.metrics.render().find("sensus_api_bodies_rejected_total{kind=\"metrics\"} 1"), std::string::npos);
}

TEST_F(LargeBodies, APoolThatCannotIsNoFaultOfTheBody) {
  EXPECT_EQ(post("/api/v1/metrics", large_array(), true).status, 503);
  EXPECT_NE(world.metrics.render().find("sensus_api_bodies_rejected_total{kind=\"metrics\"} 0"), std::string::npos);
}

TEST_F(LargeBodies, EveryRouteOfIngestHasIt) {
  std::string text;
  for (int i = 0; text.size() < 2 * 1024 * 1024; ++i) {
    text += "m{i=\"" + std::to_string(i) + "\"} 1\n";
  }
  EXPECT_EQ(post("/api/v1/import/prometheus", text).status, 202);
  EXPECT_TRUE(on_the_pool);
  const std::string padding(2 * 1024 * 1024, ' ');
  EXPECT_EQ(post("/v1/metrics", padding + "{\"resourceMetrics\":[]}").status, 200);
  EXPECT_TRUE(on_the_pool);
  EXPECT_EQ(post("/api/v1/write", padding).status, 400);
  EXPECT_TRUE(on_the_pool);
}

}  // namespace
}  // namespace sensus::api::test
