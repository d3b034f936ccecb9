#include "api_fixture.hpp"

namespace sensus::api::test {
namespace {

class ModelRoutes : public ApiTest {};

TEST_F(ModelRoutes, TrainMakesAJobAndSaysWhereItIs) {
  const http::Response response = call(http::Method::post, "/api/v1/models/train",
                                       {{"profile", "compact"}, {"warmup", "120"}, {"activate", "true"}});
  EXPECT_EQ(response.status, 202) << response.body;
  EXPECT_EQ(response.headers.get("Location"), "/api/v1/jobs/42");
  EXPECT_EQ(json::parse(response.body)["state"], "queued");
  ASSERT_EQ(world.jobs.created.size(), 1U);
  EXPECT_EQ(world.jobs.created.front().kind, model::JobKind::train);
  EXPECT_EQ(json::parse(world.jobs.created.front().parameters_json),
            json::parse(R"({"profile":"compact","warmup":120,"activate":true})"));
  EXPECT_EQ(world.job_wakes, 1);
}

TEST_F(ModelRoutes, RetrainingAndEvaluationAreTriggeredByHandToo) {
  for (const std::string kind : {"retrain", "evaluate"}) {
    EXPECT_EQ(call(http::Method::post, "/api/v1/models/train", {{"kind", kind}}).status, 202);
    EXPECT_EQ(model::to_string(world.jobs.created.back().kind), kind);
    EXPECT_EQ(world.jobs.created.back().parameters_json, "{}");
  }
}

TEST_F(ModelRoutes, TrainRefusesWhatItDoesNotKnow) {
  expect_problem(call(http::Method::post, "/api/v1/models/train", {{"profile", "huge"}}), 400, "profile");
  expect_problem(call(http::Method::post, "/api/v1/models/train", {{"warmup", "19"}}), 400, "warmup");
  expect_problem(call(http::Method::post, "/api/v1/models/train", {{"kind", "erase"}}), 400, "kind");
  expect_problem(call(http::Method::post, "/api/v1/models/train", {{"trees", "3"}}), 400, "trees");
  EXPECT_TRUE(world.jobs.created.empty());
  world.jobs.error = make_error(Errc::overloaded, "enough jobs wait already");
  expect_problem(call(http::Method::post, "/api/v1/models/train"), 503);
  EXPECT_EQ(world.job_wakes, 0);
}

TEST_F(ModelRoutes, ActivatePutsAVersionInUse) {
  const http::Response response = call(http::Method::post, "/api/v1/models/42/activate");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_TRUE(json::parse(response.body)["is_active"]);
  EXPECT_EQ(world.models.activated, 42);
  EXPECT_EQ(world.model_wakes, 1);
  expect_problem(call(http::Method::post, "/api/v1/models/7/activate"), 404);
  expect_problem(call(http::Method::post, "/api/v1/models/x/activate"), 400, "id");
  world.models.error = make_error(Errc::corrupt, "the checksum does not hold");
  EXPECT_EQ(call(http::Method::post, "/api/v1/models/42/activate").status, 500);
}

TEST_F(ModelRoutes, JobsAreListedAndFoundById) {
  EXPECT_EQ(get_json("/api/v1/jobs")["items"][0]["id"], 42);
  EXPECT_EQ(get_json("/api/v1/jobs/42")["kind"], "train");
  expect_problem(get("/api/v1/jobs/7"), 404);
  expect_problem(get("/api/v1/jobs/42", {{"x", "1"}}), 400, "x");
  expect_problem(get("/api/v1/jobs/0"), 400, "id");
}

}  // namespace
}  // namespace sensus::api::test
