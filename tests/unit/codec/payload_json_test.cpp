#include "sensus/codec/model_json.hpp"

#include <gtest/gtest.h>

namespace sensus::codec {
namespace {

TEST(StepBatch, RoundTrips) {
  StepBatch batch;
  batch.tenant = 3;
  batch.step = 60s;
  batch.points = {{1, from_unix_us(60'000'000), 0.1}, {2147483647, from_unix_us(-60'000'000), -1e300}};
  const auto back = parse_step_batch(render_step_batch(batch));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->tenant, 3);
  EXPECT_EQ(back->step, 60s);
  ASSERT_EQ(back->points.size(), 2U);
  EXPECT_EQ(back->points[1].series_id, 2147483647);
  EXPECT_EQ(back->points[1].time, from_unix_us(-60'000'000));
  EXPECT_EQ(back->points[0].value, 0.1);
  EXPECT_EQ(back->points[1].value, -1e300);
}

TEST(StepBatch, RefusesDamage) {
  for (const char* text : {"", "[]", "{", "{}", R"({"tenant":1,"step_s":60})", R"({"tenant":1,"step_s":60,"points":{}})",
                           R"({"tenant":0,"step_s":60,"points":[]})", R"({"tenant":1,"step_s":-1,"points":[]})",
                           R"({"tenant":1,"step_s":60,"points":[[1,2]]})", R"({"tenant":1,"step_s":60,"points":[[0,2,3]]})",
                           R"({"tenant":1,"step_s":60,"points":[[2147483648,2,3]]})", R"({"tenant":1,"step_s":60,"points":[["1",2,3]]})",
                           R"({"tenant":1,"step_s":60,"points":[[1,2.5,3]]})", R"({"tenant":1,"step_s":60,"points":[[1,2,null]]})",
                           R"({"tenant":1,"step_s":60,"points":[[1,18446744073709551615,3]]})",
                           R"({"tenant":1,"step_s":60,"points":[[1,2,1e999]]})"}) {
    const auto result = parse_step_batch(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Errc::corrupt) << text;
  }
}

TEST(AlertEvent, RoundTrips) {
  model::Episode e;
  e.id = 12;
  e.labels = {{"alertname", "X"}};
  const std::string text = render_alert_event(kDefaultTenant, "reopened", e);
  const auto back = parse_alert_event(text);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->tenant, kDefaultTenant);
  EXPECT_EQ(back->alert_id, 12);
  EXPECT_EQ(back->change, "reopened");
  EXPECT_NE(text.find(R"("payload":{"id":12)"), std::string::npos) << text;
}

TEST(AlertEvent, RefusesDamage) {
  for (const char* text : {"", "7", "{}", R"({"alert_id":1,"tenant":1})", R"({"alert_id":"1","tenant":1,"change":"x"})",
                           R"({"alert_id":0,"tenant":1,"change":"x"})", R"({"alert_id":1,"tenant":1,"change":null})"}) {
    EXPECT_FALSE(parse_alert_event(text)) << text;
  }
}

TEST(ParseLabels, RefusesOtherThanAnObjectOfStrings) {
  EXPECT_FALSE(parse_labels(R"({"a":1})"));
  EXPECT_FALSE(parse_labels("[]"));
  EXPECT_FALSE(parse_labels("{"));
  EXPECT_FALSE(parse_labels(std::string(100'000, '[')));
}

}  // namespace
}  // namespace sensus::codec
