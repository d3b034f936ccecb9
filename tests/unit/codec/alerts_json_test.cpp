#include "sensus/codec/alerts_json.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sensus::codec {
namespace {

using model::AlertStatus;

const Timestamp kNow = parse_rfc3339("2026-06-01T12:00:00Z").value();

Timestamp at(std::string_view text) { return parse_rfc3339(text).value(); }

Result<model::AlertBatch> parse(std::string_view body) { return parse_alerts_json(body, kNow, model::InputLimits{}); }

model::AlertArrival only(const std::string& alert) {
  const auto result = parse("[" + alert + "]");
  EXPECT_TRUE(result) << alert << ": " << result.error().message;
  EXPECT_TRUE(result->quarantined.empty()) << alert << ": " << result->quarantined[0].reason;
  return result->arrivals.at(0);
}

/// The alert must be quarantined, among good ones, with its bytes.
void expect_quarantined(const std::string& alert, std::string_view code, std::string_view part) {
  constexpr std::string_view kGood = R"({"labels":{"alertname":"Good"}})";
  const auto result = parse("[" + std::string(kGood) + ", " + alert + " ," + std::string(kGood) + "]");
  ASSERT_TRUE(result) << alert << ": " << result.error().message;
  EXPECT_EQ(result->arrivals.size(), 2U);
  ASSERT_EQ(result->quarantined.size(), 1U) << alert;
  const auto& bad = result->quarantined[0];
  EXPECT_EQ(bad.original, alert);
  EXPECT_EQ(bad.code, code) << bad.reason;
  EXPECT_NE(bad.reason.find(part), std::string::npos) << bad.reason;
  EXPECT_TRUE(bad.reason.starts_with("[1]")) << bad.reason;
  EXPECT_NE(std::find(model::kQuarantineCodes.begin(), model::kQuarantineCodes.end(), bad.code), model::kQuarantineCodes.end());
}

void expect_error(std::string_view body, std::string_view field, std::string_view part) {
  const auto result = parse(body);
  ASSERT_FALSE(result) << body.substr(0, 200);
  EXPECT_EQ(result.error().code, Errc::invalid_input);
  EXPECT_EQ(result.error().field, field) << result.error().message;
  EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
}

// As Alertmanager 0.25 sends it: nanoseconds, the zero time as the end of what fires, a quoted receiver, a mixed group.
constexpr std::string_view kWebhook = R"({"receiver":"team\\-x\\.y","status":"firing","alerts":[
  {"status":"firing","labels":{"alertname":"InstanceDown","code":"200","instance":"127.0.0.1:9090","job":"prometheus","monitor":"codelab-monitor","severity":"critical"},
   "annotations":{"description":"down"},"startsAt":"2026-06-01T11:58:00.123456789Z","endsAt":"0001-01-01T00:00:00Z",
   "generatorURL":"http://prometheus:9090/graph?g0.expr=up","fingerprint":"791cec13fcba0368"},
  {"status":"resolved","labels":{"alertname":"DiskFull","instance":"a"},"annotations":{},"startsAt":"2026-06-01T11:00:00Z",
   "endsAt":"2026-06-01T11:59:00.5+00:00","generatorURL":"","fingerprint":"not hex"}],
  "groupLabels":{},"commonLabels":{"x":"y"},"commonAnnotations":{},"externalURL":"http://am:9093","version":"4",
  "groupKey":"{}:{alertname=\"x\"}","truncatedAlerts":3,"notification_reason":"first notification","routeLabels":null})";

TEST(AlertsJson, AlertmanagersWebhook) {
  const auto result = parse(kWebhook);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(result->quarantined.empty());
  EXPECT_EQ(result->receiver, "team-x.y");
  EXPECT_EQ(result->truncated_alerts, 3U);
  ASSERT_EQ(result->arrivals.size(), 2U);
  const auto& firing = result->arrivals[0];
  EXPECT_EQ(firing.status, AlertStatus::firing);
  EXPECT_EQ(firing.starts_at, at("2026-06-01T11:58:00.123456Z"));
  EXPECT_FALSE(firing.ends_at.has_value());
  EXPECT_EQ(firing.fingerprint, "791cec13fcba0368");
  EXPECT_EQ(firing.fingerprint, model::fingerprint_of(firing.labels));
  EXPECT_EQ(firing.labels.get("severity"), "critical");
  EXPECT_EQ(firing.annotations.get("description"), "down");
  EXPECT_EQ(firing.generator_url, "http://prometheus:9090/graph?g0.expr=up");
  const auto& resolved = result->arrivals[1];
  EXPECT_EQ(resolved.status, AlertStatus::resolved) << "the alert's own status, not the group's";
  EXPECT_EQ(resolved.ends_at, at("2026-06-01T11:59:00.5Z"));
  EXPECT_EQ(resolved.fingerprint, model::fingerprint_of(resolved.labels)) << "nonsense is replaced";
}

TEST(AlertsJson, InTheWebhookTheStatusDecidesNotTheEnd) {
  const auto body = [](const std::string& alert) { return R"({"version":"4","alerts":[)" + alert + "]}"; };
  const auto firing = parse(body(R"({"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-06-01T11:00:00Z","endsAt":"2026-06-01T11:30:00Z"})"));
  ASSERT_TRUE(firing);
  EXPECT_EQ(firing->arrivals.at(0).status, AlertStatus::firing);
  EXPECT_FALSE(firing->arrivals.at(0).ends_at.has_value());
}

TEST(AlertsJson, TheWebhooksVersionMustBeFour) {
  expect_error(R"({"version":"3","alerts":[]})", "version", "\"4\"");
  expect_error(R"({"version":4,"alerts":[]})", "version", "\"4\"");
  expect_error(R"({"alerts":[]})", "version", "missing");
  expect_error(R"({"version":"4"})", "alerts", "missing");
  expect_error(R"({"version":"4","alerts":{}})", "alerts", "must be an array");
  expect_error(R"({"version":"4","alerts":null})", "alerts", "must be an array");
  expect_error(R"({"version":"4","version":"4","alerts":[]})", "version", "twice");
  expect_error(R"({"version":"4","alerts":[],"alerts":[]})", "alerts", "twice");
  EXPECT_TRUE(parse(R"({"alerts":[],"version":"4"})"));
}

TEST(AlertsJson, TheSeedsForm) {
  const auto alert = only(R"({"labels":{"alertname":"A","severity":"warning","empty":""},"annotations":{"description":"d","empty":""}})");
  EXPECT_EQ(alert.status, AlertStatus::firing);
  EXPECT_EQ(alert.starts_at, kNow);
  EXPECT_EQ(alert.labels, (model::Labels{{"alertname", "A"}, {"severity", "warning"}}));
  EXPECT_EQ(alert.annotations.size(), 2U);
  EXPECT_EQ(alert.fingerprint, model::fingerprint_of(alert.labels));
  const auto none = parse("[]");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->arrivals.empty());
}

TEST(AlertsJson, TheSeedsStatusFollowsTheEnd) {
  const auto with = [](const std::string& members) { return only(R"({"labels":{"alertname":"A"},)" + members + "}"); };
  EXPECT_EQ(with(R"("endsAt":"2026-06-01T12:05:00Z")").status, AlertStatus::firing);
  EXPECT_FALSE(with(R"("endsAt":"2026-06-01T12:05:00Z")").ends_at.has_value());
  EXPECT_EQ(with(R"("endsAt":"0001-01-01T00:00:00Z")").status, AlertStatus::firing);
  EXPECT_EQ(with(R"("endsAt":null,"startsAt":null,"generatorURL":null,"status":null,"annotations":null)").status, AlertStatus::firing);
  const auto ended = with(R"("endsAt":"2026-06-01T12:00:00Z","startsAt":"2026-06-01T11:00:00Z","status":"firing")");
  EXPECT_EQ(ended.status, AlertStatus::resolved);
  EXPECT_EQ(ended.ends_at, kNow);
  const auto resolved = with(R"("status":"resolved","startsAt":"2026-06-01T11:00:00Z")");
  EXPECT_EQ(resolved.status, AlertStatus::resolved);
  EXPECT_EQ(resolved.ends_at, kNow);
  const auto only_end = with(R"("endsAt":"2026-06-01T11:30:00Z")");
  EXPECT_EQ(only_end.starts_at, at("2026-06-01T11:30:00Z"));
  EXPECT_EQ(only_end.ends_at, at("2026-06-01T11:30:00Z"));
}

TEST(AlertsJson, ABadAlertIsQuarantinedWithItsBytes) {
  expect_quarantined("7", "bad_type", "must be an object");
  expect_quarantined("null", "bad_type", "must be an object");
  expect_quarantined("{}", "missing_alertname", "labels.alertname");
  expect_quarantined(R"({"labels":{"alertname":""}})", "missing_alertname", "missing or empty");
  expect_quarantined(R"({"labels":{"severity":"x"}})", "missing_alertname", "missing or empty");
  expect_quarantined(R"({"labels":{"alertname":7}})", "bad_type", "labels: must be an object of strings");
  expect_quarantined(R"({"labels":["alertname"]})", "bad_type", "labels");
  expect_quarantined(R"({"labels":{"alertname":"A"},"annotations":{"a":{}}})", "bad_type", "annotations");
  expect_quarantined(R"({"labels":{"alertname":"A"},"generatorURL":1})", "bad_type", "generatorURL");
  expect_quarantined(R"({"labels":{"alertname":"A"},"status":"pending"})", "bad_status", "firing");
  expect_quarantined(R"({"labels":{"alertname":"A"},"startsAt":"yesterday"})", "bad_timestamp", "RFC 3339");
  expect_quarantined(R"({"labels":{"alertname":"A"},"startsAt":1780315199})", "bad_type", "startsAt");
  expect_quarantined(R"({"labels":{"alertname":"A","alertname":"B"}})", "duplicate_key", "twice");
  expect_quarantined(R"({"labels":{"alertname":"A"},"labels":{"alertname":"B"}})", "duplicate_key", "labels: is given twice");
  expect_quarantined(R"({"labels":{"alertname":"A","":"x"}})", "label_limit", "name is empty");
}

TEST(AlertsJson, TextFaultsInsideAnAlertOnlySinkThatAlert) {
  expect_quarantined(R"({"labels":{"alertname":"A\u0000"}})", "bad_text", "NUL");
  expect_quarantined(R"({"labels":{"alertname":"\ud800"}})", "bad_text", "lone surrogate");
  expect_quarantined(R"({"labels":{"a\udfff":"x"}})", "bad_text", "lone surrogate");
}

TEST(AlertsJson, TimeWindow) {
  const auto with = [](const std::string& members) { return R"({"labels":{"alertname":"A"},)" + members + "}"; };
  for (const char* t : {"0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2036-06-01T12:00:00Z", "9999-12-31T23:59:59Z", "2026-06-01T12:10:00.000001Z",
                        "2026-05-02T11:59:59Z"}) {
    expect_quarantined(with(R"("startsAt":")" + std::string(t) + "\""), "timestamp_window", "startsAt: is outside");
  }
  EXPECT_EQ(only(with(R"("startsAt":"2026-06-01T12:10:00Z")")).starts_at, kNow + 10min);
  EXPECT_EQ(only(with(R"("startsAt":"2026-05-02T12:00:00Z")")).starts_at, kNow - 24h * 30);
  expect_quarantined(with(R"("startsAt":"2026-04-01T00:00:00Z","endsAt":"2026-04-01T01:00:00Z")"), "timestamp_window", "endsAt: is outside");
  expect_quarantined(with(R"("startsAt":"2026-06-01T11:00:00Z","endsAt":"2026-06-01T10:00:00Z")"), "ends_before_start", "endsAt");
  expect_quarantined(with(R"("status":"resolved","startsAt":"1970-01-01T00:00:00Z")"), "timestamp_window", "startsAt");
}

TEST(AlertsJson, AResolveClosesWhatBeganBeforeTheWindow) {
  const auto alert = only(R"({"labels":{"alertname":"A"},"startsAt":"2026-02-01T00:00:00Z","endsAt":"2026-06-01T11:00:00Z"})");
  EXPECT_EQ(alert.status, AlertStatus::resolved);
  EXPECT_EQ(alert.starts_at, at("2026-02-01T00:00:00Z"));
}

TEST(AlertsJson, LimitsAtTheEdgeAndOneMore) {
  const auto many = [](int count) {
    std::string labels = R"("alertname":"A")";
    for (int i = 1; i < count; ++i) {
      labels += ",\"l" + std::to_string(i) + "\":\"v\"";
    }
    return R"({"labels":{)" + labels + "}}";
  };
  EXPECT_EQ(only(many(64)).labels.size(), 64U);
  expect_quarantined(many(65), "label_limit", "at most 64");
  expect_quarantined(many(1000), "label_limit", "at most 64");
  const auto value = [](std::size_t size) { return R"({"labels":{"alertname":"A","v":")" + std::string(size, 'v') + "\"}}"; };
  EXPECT_EQ(only(value(4096)).labels.get("v").size(), 4096U);
  expect_quarantined(value(65536), "label_limit", "labels.v: the value has 65536 bytes");
  const auto annotation = [](std::size_t size) { return R"({"labels":{"alertname":"A"},"annotations":{"v":")" + std::string(size, 'v') + "\"}}"; };
  EXPECT_EQ(only(annotation(65536)).annotations.get("v").size(), 65536U);
  expect_quarantined(annotation(65537), "annotation_limit", "annotations.v");
  expect_quarantined(R"({"labels":{"alertname":"A"},"generatorURL":")" + std::string(65537, 'u') + "\"}", "annotation_limit", "generatorURL");
}

TEST(AlertsJson, MillionsOfLabelsEndSoon) {
  std::string labels;
  for (int i = 300'000; i > 0; --i) {
    labels += ",\"" + std::to_string(i) + "\":\"v\"";
  }
  expect_quarantined(R"({"labels":{"alertname":"A")" + labels + "}}", "label_limit", "at most 64");
}

TEST(AlertsJson, TheNumberOfAlertsIsBounded) {
  const auto body = [](std::size_t count) {
    std::string out = "[{}";
    for (std::size_t i = 1; i < count; ++i) {
      out += ",{}";
    }
    return out + "]";
  };
  const auto most = parse(body(10'000));
  ASSERT_TRUE(most);
  EXPECT_EQ(most->quarantined.size(), 10'000U);
  const auto over = parse(body(10'001));
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Errc::too_large);
}

TEST(AlertsJson, DocumentsThatAreNotAlerts) {
  for (const char* body : {"", "{", "[", "[{]", "[{}", "[{}]x", "[{},]", R"([{"a":}])", R"({"version":"4","alerts":[{])", "\xEF\xBB\xBF[]", "nul", R"([{"a":"\x"}])"}) {
    const auto result = parse(body);
    ASSERT_FALSE(result) << body;
    EXPECT_EQ(result.error().code, Errc::invalid_input) << body;
    EXPECT_NE(result.error().message.find("malformed JSON at byte"), std::string::npos) << body << " -> " << result.error().message;
  }
  expect_error("7", "", "array of alerts");
  expect_error("\"x\"", "", "array of alerts");
  expect_error("[\"\xFF\"]", "", "not UTF-8");
  expect_error(std::string("[\"\0\"]", 5), "", "control character");
  expect_error(std::string(100'000, '['), "", "deeper than 32");
  expect_error(R"([{"labels":)" + std::string(100'000, '{'), "", "malformed");
}

TEST(AlertsJson, ErrorsInsideAnAlertCarryTheOffsetInTheBody) {
  const auto result = parse(R"([{"labels":{"alertname":"A"}},{"labels":{"x":"\u0000"}}])");
  ASSERT_TRUE(result);
  EXPECT_NE(result->quarantined.at(0).reason.find("at byte 52"), std::string::npos) << result->quarantined.at(0).reason;
}

}  // namespace
}  // namespace sensus::codec
