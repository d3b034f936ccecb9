#include "integration/storage/store_fixture.hpp"

#include "sensus/storage/analyses.hpp"

namespace sensus::test {
namespace {

const Timestamp kNoon = at("2026-11-20T12:00:00Z");

model::Anomaly anomaly_of(SeriesId series, Timestamp time, double score = 0.8) {
  model::Anomaly a;
  a.series_id = series;
  a.time = time;
  a.value = 9.5;
  a.expected = 1.25;
  a.score = score;
  a.threshold = 0.6;
  a.model_version = "v1";
  a.features_json = R"({"value":9.5})";
  return a;
}

void add_series(Store& s) {
  (void)s.db.admin(
      "insert into sensus.series (tenant_id, fingerprint, metric_name, labels) values "
      "(1, '\\x00000000000000000000000000000001', 'cpu', '{\"host\":\"a\"}'), (1, "
      "'\\x00000000000000000000000000000002', 'mem', '{\"host\":\"b\"}')");
}

EventId add_event(Store& s) {
  return std::stoll(
      s.value("insert into sensus.outbox (tenant_id, topic, type, payload, published_at) values "
              "(1, 'alerts', 'alert', '{}', now()) "
              "returning id"));
}

CORO_TEST(AnalysisStore, AnomaliesAreStoredOnceWithTheirEvents) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  add_series(s);
  const EventId event = add_event(s);
  auto store = storage::make_analysis_store(s.database);
  std::vector<model::Anomaly> found{anomaly_of(2, kNoon), anomaly_of(1, kNoon, 0.7),
                                    anomaly_of(1, kNoon + 60s)};
  std::vector<EventId> done(1, event);
  auto fresh = co_await store->store_anomalies(soon(), kDefaultTenant, found, done);
  CO_ASSERT_OK(fresh);
  EXPECT_EQ(*fresh, 3U);
  auto redelivered = co_await store->store_anomalies(soon(), kDefaultTenant, found, done);
  CO_ASSERT_OK(redelivered);
  EXPECT_EQ(*redelivered, 0U);
  EXPECT_EQ(s.value("select count(*) from outbox where topic = 'alerts'"), "0")
      << "finished in the same transaction";
  EXPECT_EQ(s.value("select count(*) from outbox where topic = 'events' and type = 'anomaly' and "
                    "payload::jsonb ->> 'metric_name' = 'cpu'"),
            "2");

  storage::AnomalyFilter filter;
  filter.limit = 2;
  auto page = co_await store->anomalies(soon(), kDefaultTenant, filter);
  CO_ASSERT_OK(page);
  CO_ASSERT_EQ(page->items.size(), 2U);
  EXPECT_EQ(page->items[0].time, kNoon + 60s);
  EXPECT_EQ(page->items[0].metric_name, "cpu");
  EXPECT_EQ(page->items[0].labels.get("host"), "a");
  EXPECT_EQ(page->items[0].value, 9.5);
  EXPECT_EQ(page->items[0].expected, 1.25);
  EXPECT_EQ(page->items[0].threshold, 0.6);
  EXPECT_EQ(page->items[0].model_version, "v1");
  EXPECT_EQ(page->items[0].features_json, R"({"value": 9.5})");
  CO_ASSERT_TRUE(page->next.has_value());
  filter.after = page->next;
  page = co_await store->anomalies(soon(), kDefaultTenant, filter);
  CO_ASSERT_OK(page);
  EXPECT_EQ(page->items.size(), 1U);

  storage::AnomalyFilter strong;
  strong.score_min = 0.75;
  strong.metric_name = "cpu";
  strong.matchers.push_back({"host", model::MatchOp::equal, "a"});
  strong.from = kNoon;
  strong.to = kNoon + 61s;
  page = co_await store->anomalies(soon(), kDefaultTenant, strong);
  CO_ASSERT_OK(page);
  EXPECT_EQ(page->items.size(), 1U);
}

CORO_TEST(AnalysisStore, ARedeliveredEventHasNoSecondAnalysis) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_analysis_store(s.database);
  storage::NewAnalysis report;
  report.alert_id = 7;
  report.event_id = add_event(s);
  report.model_name = "evidence";
  report.data_json = R"({"summary":"x"})";
  report.confidence = 0.5;
  report.follow_ups.push_back({model::Topic::explanations, "explain", "{}"});
  auto first = co_await store->store_analysis(soon(), kDefaultTenant, report);
  CO_ASSERT_OK(first);
  auto second = co_await store->store_analysis(soon(), kDefaultTenant, report);
  CO_ASSERT_OK(second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(s.value("select string_agg(topic, ',' order by id) from outbox"),
            "explanations,events");
  report.type = model::AnalysisType::llm_analysis;
  auto refined = co_await store->store_analysis(soon(), kDefaultTenant, report);
  CO_ASSERT_OK(refined);
  EXPECT_NE(*refined, *first);

  auto latest = co_await store->latest(soon(), kDefaultTenant);
  CO_ASSERT_OK(latest);
  EXPECT_EQ(latest->id, *refined);
  EXPECT_EQ(latest->type, model::AnalysisType::llm_analysis);
  EXPECT_EQ(latest->alert_id, 7);
  EXPECT_EQ(latest->confidence, 0.5);
  EXPECT_EQ(latest->data_json, R"({"summary": "x"})");

  storage::AnalysisFilter filter;
  filter.alert_id = 7;
  filter.limit = 1;
  auto page = co_await store->list(soon(), kDefaultTenant, filter);
  CO_ASSERT_OK(page);
  CO_ASSERT_EQ(page->items.size(), 1U);
  EXPECT_EQ(page->items[0].id, *refined);
  filter.after = page->next;
  page = co_await store->list(soon(), kDefaultTenant, filter);
  CO_ASSERT_OK(page);
  CO_ASSERT_EQ(page->items.size(), 1U);
  EXPECT_EQ(page->items[0].id, *first);
  storage::AnalysisFilter other;
  other.type = model::AnalysisType::anomaly_detection;
  page = co_await store->list(soon(), kDefaultTenant, other);
  CO_ASSERT_OK(page);
  EXPECT_TRUE(page->items.empty());
}

CORO_TEST(AnalysisStore, WithoutAnyTheLatestIsNotFound) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_analysis_store(s.database);
  auto latest = co_await store->latest(soon(), kDefaultTenant);
  CO_ASSERT_TRUE(!latest);
  EXPECT_EQ(latest.error().code, Errc::not_found);
  storage::NewAnalysis broken;
  broken.data_json = "{";
  auto refused = co_await store->store_analysis(soon(), kDefaultTenant, broken);
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_input);
}

CORO_TEST(ModelStore, OneVersionOfAnAlgorithmIsActive) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_model_store(s.database);
  for (int i = 1; i <= 3; ++i) {
    model::ModelVersion version{0,
                                "v" + std::to_string(i),
                                "isolation_forest",
                                R"({"trees":100})",
                                kNoon + std::chrono::hours(i),
                                false};
    auto published = co_await store->publish(soon(), kDefaultTenant, version);
    CO_ASSERT_OK(published);
    EXPECT_TRUE(published->is_active);
    EXPECT_GT(published->id, 0);
  }
  model::ModelVersion other{0, "v1", "other", "{}", kNoon, false};
  auto published = co_await store->publish(soon(), kDefaultTenant, other);
  CO_ASSERT_OK(published);
  EXPECT_EQ(s.value("select string_agg(algorithm || ' ' || version, ', ' order by algorithm) from "
                    "model_versions where is_active"),
            "isolation_forest v3, other v1");
  model::ModelVersion rollback{
      0, "v1", "isolation_forest", R"({"trees":100})", kNoon + std::chrono::hours(1), false};
  auto rolled_back = co_await store->publish(soon(), kDefaultTenant, rollback);
  CO_ASSERT_OK(rolled_back);
  EXPECT_EQ(
      s.value(
          "select version from model_versions where is_active and algorithm = 'isolation_forest'"),
      "v1");
  auto page = co_await store->list(soon(), kDefaultTenant, 3, std::nullopt);
  CO_ASSERT_OK(page);
  CO_ASSERT_EQ(page->items.size(), 3U);
  EXPECT_EQ(page->items[0].version, "v3");
  EXPECT_EQ(page->items[0].parameters_json, R"({"trees": 100})");
  auto next = co_await store->list(soon(), kDefaultTenant, 3, page->next);
  CO_ASSERT_OK(next);
  EXPECT_EQ(next->items.size(), 1U);
}

}  // namespace
}  // namespace sensus::test
