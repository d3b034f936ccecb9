#include "sensus/codec/model_json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace sensus::codec {
namespace {

using nlohmann::json;

model::Episode episode() {
  model::Episode e;
  e.id = 7;
  e.labels = {{"alertname", "HighLatency"}, {"severity", "critical"}};
  e.annotations = {{"description", "p99 \"over\" 1s\n"}};
  e.alert_name = "HighLatency";
  e.severity = "critical";
  e.description = "p99 \"over\" 1s\n";
  e.fingerprint = "791cec13fcba0368";
  e.generator_url = "http://prometheus/graph?g0.expr=x";
  e.starts_at = parse_rfc3339("2026-06-01T12:00:00.5Z").value();
  e.created_at = parse_rfc3339("2026-06-01T12:00:01Z").value();
  e.last_received_at = parse_rfc3339("2026-06-01T12:00:02Z").value();
  e.receive_count = 3;
  return e;
}

TEST(ModelJson, EpisodeWhileFiring) {
  const json out = json::parse(render_episode(episode()));
  EXPECT_EQ(out, json::parse(R"({"id":7,"status":"firing","alert_name":"HighLatency","severity":"critical",
      "description":"p99 \"over\" 1s\n","labels":{"alertname":"HighLatency","severity":"critical"},
      "annotations":{"description":"p99 \"over\" 1s\n"},"fingerprint":"791cec13fcba0368",
      "generator_url":"http://prometheus/graph?g0.expr=x","starts_at":"2026-06-01T12:00:00.500Z","ends_at":null,
      "created_at":"2026-06-01T12:00:01Z","last_received_at":"2026-06-01T12:00:02Z","receive_count":3})"));
}

TEST(ModelJson, EpisodeResolved) {
  auto e = episode();
  e.status = model::AlertStatus::resolved;
  e.ends_at = e.starts_at + 1min;
  const json out = json::parse(render_episode(e));
  EXPECT_EQ(out["status"], "resolved");
  EXPECT_EQ(out["ends_at"], "2026-06-01T12:01:00.500Z");
}

TEST(ModelJson, Anomaly) {
  model::Anomaly a{.id = 1, .series_id = 2, .metric_name = "cpu", .labels = {{"host", "a"}}, .time = from_unix_us(0),
                   .value = 0.1, .expected = 5e-324, .score = 0.75, .threshold = 0.6, .model_version = "v1", .features_json = R"({"value":0.1})"};
  const json out = json::parse(render_anomaly(a));
  EXPECT_EQ(out, json::parse(R"({"id":1,"series_id":2,"metric_name":"cpu","labels":{"host":"a"},"time":"1970-01-01T00:00:00Z",
      "value":0.1,"expected":5e-324,"score":0.75,"threshold":0.6,"model_version":"v1","features":{"value":0.1},
      "kind":"","tier":"","band_low":0,"band_high":0,"evidence":0,"since":null,"rate":false,"contributions":[]})"));
  a.kind = "level";
  a.tier = "alerting";
  a.since = from_unix_us(0);
  a.contributions_json = R"([{"view":"shape"}])";
  const json why = json::parse(render_anomaly(a));
  EXPECT_EQ(why["kind"], "level");
  EXPECT_EQ(why["since"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(why["contributions"][0]["view"], "shape");
  const json data = json::parse(render_anomaly_data(a));
  EXPECT_EQ(data["tier"], "alerting");
  EXPECT_EQ(data["value"], 0.1);
  a.value = std::numeric_limits<double>::infinity();
  a.features_json.clear();
  const json odd = json::parse(render_anomaly(a));
  EXPECT_TRUE(odd["value"].is_null());
  EXPECT_EQ(odd["features"], json::object());
}

TEST(ModelJson, Analysis) {
  model::Analysis a;
  a.id = 9;
  a.alert_id = 7;
  a.type = model::AnalysisType::llm_analysis;
  a.model_name = "llama2";
  a.data_json = R"({"root_cause":"disk"})";
  a.confidence = 0.5;
  EXPECT_EQ(json::parse(render_analysis(a)),
            json::parse(R"({"id":9,"alert_id":7,"series_id":null,"analysis_type":"llm_analysis","model_name":"llama2",
                "analysis_data":{"root_cause":"disk"},"confidence_score":0.5,"created_at":"1970-01-01T00:00:00Z"})"));
}

TEST(ModelJson, ModelVersion) {
  model::ModelVersion v{.id = 1, .version = "if-1", .algorithm = "isolation_forest", .parameters_json = "{\"trees\":100}", .training_date = from_unix_us(0), .is_active = true};
  EXPECT_EQ(json::parse(render_model_version(v)),
            json::parse(R"({"id":1,"version":"if-1","algorithm":"isolation_forest","parameters":{"trees":100},
                "training_date":"1970-01-01T00:00:00Z","is_active":true,"is_pinned":false,"profile":"","training_from":null,
                "training_to":null,"quality":{},"checksum":""})"));
  v.profile = "compact";
  v.training_from = from_unix_us(0);
  v.quality_json = R"({"series":5})";
  v.is_pinned = true;
  const json full = json::parse(render_model_version(v));
  EXPECT_EQ(full["profile"], "compact");
  EXPECT_EQ(full["training_from"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(full["quality"]["series"], 5);
  EXPECT_TRUE(full["is_pinned"]);
}

TEST(ModelJson, Job) {
  model::Job job;
  job.id = 7;
  job.kind = model::JobKind::retrain;
  job.created_at = from_unix_us(0);
  EXPECT_EQ(json::parse(render_job(job)),
            json::parse(R"({"id":7,"kind":"retrain","state":"queued","progress":0,"parameters":{},"due_at":null,
                "created_at":"1970-01-01T00:00:00Z","started_at":null,"finished_at":null,"result":null,"error":null})"));
  job.state = model::JobState::failed;
  job.error = "away";
  job.result_json = R"({"version_id":3})";
  const json failed = json::parse(render_job(job));
  EXPECT_EQ(failed["error"], "away");
  EXPECT_EQ(failed["result"]["version_id"], 3);
}

TEST(ModelJson, QuoteEscapesControlsAndKeepsUtf8) {
  EXPECT_EQ(quote_json("a\"b\\c\n\r\t\x01\x7F/ü"), "\"a\\\"b\\\\c\\n\\r\\t\\u0001\\u007f/ü\"");
  EXPECT_EQ(quote_json(""), "\"\"");
  std::string all;
  for (int c = 0; c < 128; ++c) {
    all.push_back(static_cast<char>(c));
  }
  EXPECT_EQ(json::parse(quote_json(all)).get<std::string>(), all);
}

TEST(ModelJson, LabelsRoundTrip) {
  const model::Labels labels{{"a", "1"}, {"größe", "\"x\"\n"}, {"empty", ""}};
  const auto back = parse_labels(render_labels(labels));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, labels);
  EXPECT_EQ(render_labels({}), "{}");
}

}  // namespace
}  // namespace sensus::codec
