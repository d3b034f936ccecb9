#include "api_fixture.hpp"

#include "sensus/model/forecast.hpp"

namespace sensus::api::test {
namespace {

class ForecastRoutes : public ApiTest {
 protected:
  http::Response forecast(Query query) { return get("/api/v1/forecast", std::move(query)); }
};

TEST_F(ForecastRoutes, TellsPointsAndWhenALimitIsReached) {
  const json body = get_json("/api/v1/forecast", {{"series", "disk_used_ratio{host=\"db-1\"}"},
                                                  {"horizon", "2h"},
                                                  {"step", "1h"},
                                                  {"limit", "0.5"}});
  EXPECT_EQ(body["horizon_seconds"], 7200);
  EXPECT_EQ(body["step_seconds"], 3600);
  ASSERT_EQ(body["series"].size(), 2U);
  const json& disk = body["series"][0];
  EXPECT_EQ(disk["series_id"], 3);
  EXPECT_EQ(disk["labels"], json::parse(R"({"host":"db-1"})"));
  EXPECT_EQ(disk["status"], "ok");
  EXPECT_EQ(disk["is_rate"], false);
  EXPECT_EQ(disk["learned_to"], "2026-11-20T09:59:00Z");
  EXPECT_EQ(disk["points"], json::parse(R"([["2026-11-20T11:00:00Z",0.5,0.4,0.6]])"));
  EXPECT_EQ(disk["limit"],
            json::parse(R"({"value":0.5,"direction":"above","reached_at":"2026-11-20T11:00:00Z",
                                            "earliest_at":"2026-11-20T11:00:00Z","latest_at":null})"));
  const json& requests = body["series"][1];
  EXPECT_EQ(requests["status"], "silent");
  EXPECT_EQ(requests["is_rate"], true);
  EXPECT_TRUE(requests["learned_to"].is_null());
  EXPECT_TRUE(requests["points"].empty());

  const model::ForecastQuery& seen = world.flow.seen_forecast;
  EXPECT_EQ(seen.selector.size(), 2U);
  EXPECT_EQ(seen.series, 0);
  EXPECT_EQ(seen.horizon, 2h);
  EXPECT_EQ(seen.step, 1h);
  EXPECT_EQ(seen.limit, 0.5);
  EXPECT_FALSE(seen.is_limit_below);
}

TEST_F(ForecastRoutes, HasDefaultsAndTakesAnId) {
  EXPECT_TRUE(get_json("/api/v1/forecast", {{"series", "17"}})["series"][0]["limit"].is_null());
  EXPECT_EQ(world.flow.seen_forecast.series, 17);
  EXPECT_EQ(world.flow.seen_forecast.horizon, 24h);
  EXPECT_EQ(world.flow.seen_forecast.step, 8min);
  EXPECT_EQ(forecast({{"series", "17"}, {"horizon", "1h"}}).status, 200);
  EXPECT_EQ(world.flow.seen_forecast.step, 1min);
  EXPECT_EQ(
      forecast({{"series", "up"}, {"horizon", "30d"}, {"limit", "-3"}, {"direction", "below"}})
          .status,
      200);
  EXPECT_TRUE(world.flow.seen_forecast.is_limit_below);
}

TEST_F(ForecastRoutes, RefusesWhatItCannotDo) {
  expect_problem(forecast({}), 400, "series");
  expect_problem(forecast({{"series", "up{"}}), 400, "series");
  expect_problem(forecast({{"series", "0"}}), 400, "series");
  expect_problem(forecast({{"series", "99999999999999999999"}}), 400, "series");
  expect_problem(forecast({{"series", "up"}, {"horizon", "31d"}}), 400, "horizon");
  expect_problem(forecast({{"series", "up"}, {"step", "30s"}}), 400, "step");
  expect_problem(forecast({{"series", "up"}, {"horizon", "1h"}, {"step", "2h"}}), 400, "step");
  expect_problem(
      forecast({{"series", "up"}, {"horizon", "2000m"}, {"step", "1m"}, {"limit", "much"}}), 400,
      "limit");
  EXPECT_EQ(forecast({{"series", "up"}, {"horizon", "2000m"}, {"step", "1m"}}).status, 200);
  expect_problem(forecast({{"series", "up"}, {"horizon", "2001m"}, {"step", "1m"}}), 400, "step");
  expect_problem(forecast({{"series", "up"}, {"direction", "below"}}), 400, "direction");
  world.flow.error = make_error(Errc::not_found, "no series matches", "series");
  expect_problem(forecast({{"series", "up"}}), 404, "series");
  world.flow.error =
      make_error(Errc::overloaded, "four forecasts are under way already; try again");
  expect_problem(forecast({{"series", "up"}}), 503);
}

}  // namespace
}  // namespace sensus::api::test
