#include "api_fixture.hpp"

namespace sensus::api::test {
namespace {

/// What label values people and exporters send; the longest is at the limit of what is taken.
const std::vector<std::pair<std::string, std::string>>& odd_labels() {
  static const std::vector<std::pair<std::string, std::string>> labels = {
      {"city", "Zürich ☃ 𝄞 मुंबई"},
      {"quotes", R"(say "hi", it's C:\new\table)"},
      {"controls", "\x01\b\f\n\r\t\x1f\x7f"},
      {"separators", "\u2028\u2029\u00a0"},
      {"markup", "</script><b>&amp;{{ $labels }}"},
      {"sql", "'; drop table alerts; --"},
      {"empty", ""},
      {"blank", "   "},
      {"long", std::string(4096, 'x')},
      {"long_unicode", [] {
         std::string text;
         for (int i = 0; i < 1024; ++i) {
           text += "𝄞";
         }
         return text;
       }()},
      {"name with \"quotes\" and ünïcode", "value"},
  };
  return labels;
}

class AlertLabels : public ApiTest {
 protected:
  AlertLabels() {
    for (const auto& [name, value] : odd_labels()) {
      world.alerts.page.items[0].labels.set(name, value);
      world.alerts.page.items[0].annotations.set(name, value);
    }
  }
};

TEST_F(AlertLabels, AListShowsEachAsItWasSent) {
  const json body = get_json("/api/v1/alerts");
  ASSERT_EQ(body["items"].size(), 1U);
  const json& shown = body["items"][0];
  for (const auto& [name, value] : odd_labels()) {
    if (value.empty()) {
      continue;  // A label with the empty value is no label, as Prometheus has it.
    }
    EXPECT_EQ(shown["labels"].value(name, "none"), value) << name;
    EXPECT_EQ(shown["annotations"].value(name, "none"), value) << name;
  }
  EXPECT_EQ(shown["labels"].value("empty", ""), "");
}

TEST_F(AlertLabels, AMatcherFindsEachByItsQuotedOrPlainValue) {
  for (const auto& [name, value] : odd_labels()) {
    if (name.find('"') != std::string::npos || value.size() > 1000) {
      continue;  // Matchers are of the short kind of Alertmanager: name="value".
    }
    std::string quoted;
    for (const char c : value) {
      quoted += c == '"' || c == '\\' ? std::string("\\") + c : c == '\n' ? "\\n" : std::string(1, c);
    }
    const http::Response response = get("/api/v1/alerts", {{"match", name + "=\"" + quoted + "\""}});
    EXPECT_EQ(response.status, 200) << name << ": " << response.body;
    ASSERT_EQ(world.alerts.seen.matchers.size(), 1U) << name;
    EXPECT_EQ(world.alerts.seen.matchers[0].name, name);
    EXPECT_EQ(world.alerts.seen.matchers[0].value, value) << name;
  }
}

TEST_F(AlertLabels, AnEmptyValueMeansALabelThatIsMissing) {
  get("/api/v1/alerts", {{"match", "zone=\"\""}, {"match", "host!=\"\""}});
  ASSERT_EQ(world.alerts.seen.matchers.size(), 2U);
  EXPECT_EQ(world.alerts.seen.matchers[0].value, "");
  EXPECT_EQ(world.alerts.seen.matchers[1].op, model::MatchOp::not_equal);
}

TEST_F(AlertLabels, WhatIsTooLongOrUnfinishedNamesItsParameter) {
  expect_problem(get("/api/v1/alerts", {{"alertname", std::string(1025, 'x')}}), 400, "alertname");
  expect_problem(get("/api/v1/alerts", {{"match", "x=\"unfinished"}}), 400, "match");
  expect_problem(get("/api/v1/alerts", {{"match", "=\"nameless\""}}), 400, "match");
}

}  // namespace
}  // namespace sensus::api::test
