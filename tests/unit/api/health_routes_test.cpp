#include "api_fixture.hpp"

namespace sensus::api::test {
namespace {

using telemetry::HealthReport;
using telemetry::HealthState;

class HealthRoutes : public ApiTest {
 protected:
  HealthReport database;
  HealthReport redis;

  void SetUp() override {
    world.health.add("database", true, [this] { return database; });
    world.health.add("redis", false, [this] { return redis; });
  }
  json body_of(const std::string& path, int status) {
    const http::Response response = get(path);
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.headers.get("Retry-After").empty(), status != 503);
    return json::parse(response.body, nullptr, false);
  }
};

TEST_F(HealthRoutes, LiveIsAlwaysAlive) {
  database = {HealthState::failed, "refused"};
  world.draining = true;
  for (const char* path : {"/healthz/live", "/-/healthy"}) {
    EXPECT_EQ(get(path).status, 200);
    EXPECT_EQ(get(path).body, R"({"status":"alive"})");
  }
}

TEST_F(HealthRoutes, ReadyNamesItsChecks) {
  for (const char* path : {"/healthz/ready", "/-/ready"}) {
    EXPECT_EQ(body_of(path, 200),
              json::parse(R"({"status":"ready","checks":{"database":true,"redis":true},"environment":"test"})"));
  }
}

TEST_F(HealthRoutes, OptionalFailureIsDegraded) {
  redis = {HealthState::failed, "connection refused"};
  const json body = body_of("/healthz/ready", 200);
  EXPECT_EQ(body["status"], "degraded");
  EXPECT_EQ(body["checks"]["redis"], false);
  EXPECT_EQ(body["detail"], "Redis unavailable: connection refused");
}

TEST_F(HealthRoutes, DegradedCheckIsStillTrue) {
  database = {HealthState::degraded, "slow"};
  const json body = body_of("/healthz/ready", 200);
  EXPECT_EQ(body["status"], "degraded");
  EXPECT_EQ(body["checks"]["database"], true);
  EXPECT_EQ(body["detail"], "Database degraded: slow");
}

TEST_F(HealthRoutes, RequiredFailureIsNotReady) {
  database = {HealthState::failed, "connection refused"};
  redis = {HealthState::failed, "timeout"};
  const json body = body_of("/healthz/ready", 503);
  EXPECT_EQ(body["status"], "not_ready");
  EXPECT_EQ(body["detail"], "Database unavailable: connection refused; Redis unavailable: timeout");
  EXPECT_EQ(body["checks"]["database"], false);
  EXPECT_EQ(body["environment"], "test");
}

TEST_F(HealthRoutes, DrainingAndStartingAreNotReady) {
  world.draining = true;
  EXPECT_EQ(body_of("/healthz/ready", 503)["status"], "not_ready");
  world.draining = false;
  world.started = false;
  EXPECT_EQ(body_of("/healthz/ready", 503)["detail"], "Starting");
  EXPECT_EQ(body_of("/healthz/startup", 503)["status"], "starting");
  world.started = true;
  EXPECT_EQ(body_of("/healthz/startup", 200)["status"], "started");
  EXPECT_EQ(body_of("/healthz/ready", 200)["status"], "ready");
}

TEST_F(HealthRoutes, LegacyIsAlways200) {
  EXPECT_EQ(body_of("/healthz", 200),
            json::parse(R"({"status":"healthy","database":true,"redis":true,"environment":"test"})"));
  redis.state = HealthState::failed;
  EXPECT_EQ(body_of("/health", 200)["status"], "degraded");
  database.state = HealthState::failed;
  const json body = body_of("/healthz", 200);
  EXPECT_EQ(body["status"], "unhealthy");
  EXPECT_EQ(body["database"], false);
}

TEST_F(HealthRoutes, ReloadNeedsLifecycle) {
  expect_problem(post("/-/reload", ""), 403);
  EXPECT_EQ(world.reloads, 0);
}

TEST_F(HealthRoutes, ReloadAnswersWhatHappened) {
  world.options.lifecycle = true;
  EXPECT_EQ(post("/-/reload", "").body, R"({"status":"reloaded"})");
  world.reload_error = make_error(Errc::invalid_input, "3:1: nonsense: unknown key");
  const http::Response response = post("/-/reload", "");
  expect_problem(response, 500);
  EXPECT_NE(response.body.find("unknown key"), std::string::npos);
  EXPECT_EQ(world.reloads, 2);
}

TEST_F(HealthRoutes, MetricsAreTextFormat) {
  const http::Response response = get("/metrics");
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(response.body.find("# TYPE sensus_api_bodies_rejected_total counter"), std::string::npos);
}

TEST_F(HealthRoutes, ProbesIgnoreTheQuery) {
  EXPECT_EQ(get("/healthz/ready", {{"verbose", ""}}).status, 200);
  EXPECT_EQ(get("/metrics", {{"collect[]", "x"}}).status, 200);
}

}  // namespace
}  // namespace sensus::api::test
