#pragma once

#include "sensus/analysis/explain_worker.hpp"
#include "sensus/codec/model_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

namespace sensus::analysis::test_support {

using stream::Disposition;

inline Timestamp at(const char* text) { return *parse_rfc3339(text); }

inline model::Episode make_alert(EpisodeId id) {
  model::Episode alert;
  alert.id = id;
  alert.alert_name = "CheckoutErrors";
  alert.severity = "critical";
  alert.labels = {{"alertname", "CheckoutErrors"}, {"service", "checkout"}, {"instance", "web-1:80"}};
  alert.starts_at = at("2026-11-20T12:05:00Z");
  return alert;
}

inline model::Anomaly make_anomaly(SeriesId series, const char* time, double score, model::Labels labels) {
  model::Anomaly anomaly;
  anomaly.id = series;
  anomaly.series_id = series;
  anomaly.metric_name = "metric_" + std::to_string(series);
  anomaly.labels = std::move(labels);
  anomaly.time = at(time);
  anomaly.value = 12.1;
  anomaly.expected = 0.9;
  anomaly.score = score;
  anomaly.threshold = 0.6;
  return anomaly;
}

class FakeAlerts final : public storage::AlertStore {
 public:
  std::map<EpisodeId, model::Episode> episodes;
  std::deque<Error> failures;
  Recurrence past;

  runtime::Async<std::vector<storage::AlertOutcome>> store(Deadline, TenantId, model::AlertBatch, Timestamp) override {
    co_return std::vector<storage::AlertOutcome>{};
  }
  runtime::Async<storage::Page<model::Episode>> list(Deadline, TenantId, storage::AlertFilter) override {
    co_return storage::Page<model::Episode>{};
  }
  runtime::Async<model::Episode> get(Deadline, TenantId, EpisodeId id) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    const auto found = episodes.find(id);
    if (found == episodes.end()) {
      co_return make_error(Errc::not_found, "no such alert");
    }
    co_return found->second;
  }
  runtime::Async<std::vector<model::Episode>> overlapping(Deadline, TenantId, EpisodeId except, Timestamp, Timestamp, std::size_t limit) override {
    std::vector<model::Episode> out;
    for (const auto& [id, episode] : episodes) {
      if (id != except && out.size() < limit) {
        out.push_back(episode);
      }
    }
    co_return out;
  }
  runtime::Async<Recurrence> recurrence(Deadline, TenantId, EpisodeId) override { co_return past; }
};

class FakeAnalyses final : public storage::AnalysisStore {
 public:
  std::vector<model::Anomaly> known;  ///< Newest first.
  std::vector<storage::NewAnalysis> stored;
  std::set<std::pair<EventId, model::AnalysisType>> keys;
  std::vector<EventId> finished;
  std::deque<Error> failures;
  std::vector<storage::AnomalyFilter> filters;

  runtime::Async<std::size_t> store_anomalies(Deadline, TenantId, std::vector<model::Anomaly>, std::vector<EventId>) override {
    co_return std::size_t{0};
  }
  runtime::Async<AnalysisId> store_analysis(Deadline, TenantId, storage::NewAnalysis analysis) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    finished.push_back(analysis.event_id);
    if (keys.emplace(analysis.event_id, analysis.type).second) {
      stored.push_back(std::move(analysis));
    }
    co_return static_cast<AnalysisId>(stored.size());
  }
  runtime::Async<storage::Page<model::Analysis>> list(Deadline, TenantId, storage::AnalysisFilter) override {
    co_return storage::Page<model::Analysis>{};
  }
  runtime::Async<model::Analysis> latest(Deadline, TenantId) override { co_return make_error(Errc::not_found, "none"); }
  runtime::Async<storage::Page<model::Anomaly>> anomalies(Deadline, TenantId, storage::AnomalyFilter filter) override {
    filters.push_back(filter);
    storage::Page<model::Anomaly> page;
    for (const model::Anomaly& anomaly : known) {
      const bool matched = std::all_of(filter.matchers.begin(), filter.matchers.end(),
                                       [&anomaly](const model::Matcher& m) { return model::matches(m, anomaly.labels); });
      if (!matched || anomaly.time < *filter.from || anomaly.time >= *filter.to) {
        continue;
      }
      if (page.items.size() == filter.limit) {
        page.next = model::PageKey{anomaly.time, anomaly.id};
        break;
      }
      page.items.push_back(anomaly);
    }
    co_return page;
  }
};

class FakeOutbox final : public storage::Outbox {
 public:
  std::vector<EventId> finished;
  struct Deferred {
    EventId id;
    std::string stream_id;
    std::chrono::milliseconds rest;
  };
  std::vector<Deferred> deferred;
  std::deque<Error> failures;

  runtime::Async<std::vector<model::Event>> claim(Deadline, std::size_t, std::chrono::milliseconds) override {
    co_return std::vector<model::Event>{};
  }
  runtime::Async<> mark_published(Deadline, std::vector<Published>) override { co_return Result<>{}; }
  runtime::Async<> release(Deadline, std::vector<EventId>, std::chrono::milliseconds) override { co_return Result<>{}; }
  runtime::Async<> defer(Deadline, EventId id, std::string stream_id, std::chrono::milliseconds rest) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    deferred.push_back({id, std::move(stream_id), rest});
    co_return Result<>{};
  }
  runtime::Async<std::vector<Published>> unfinished(Deadline, std::chrono::milliseconds, std::size_t) override {
    co_return std::vector<Published>{};
  }
  runtime::Async<std::size_t> republish(Deadline, std::vector<EventId> ids) override { co_return ids.size(); }
  runtime::Async<std::size_t> republish_topic(Deadline, model::Topic) override { co_return std::size_t{0}; }
  runtime::Async<> finish(Deadline, std::vector<EventId> ids) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    finished.insert(finished.end(), ids.begin(), ids.end());
    co_return Result<>{};
  }
  runtime::Async<Stats> stats(Deadline) override { co_return Stats{}; }
};

/// Answers every call with the next of the script, or soundly.
class FakeOllamaServer final : public webclient::Client {
 public:
  std::deque<Result<webclient::OutResponse>> script;
  std::vector<std::string> bodies;

  runtime::Async<webclient::OutResponse> send(Deadline, webclient::OutRequest request) override {
    bodies.push_back(std::move(request.body));
    if (script.empty()) {
      co_return webclient::OutResponse{200, "application/json", sound().dump()};
    }
    Result<webclient::OutResponse> next = std::move(script.front());
    script.pop_front();
    co_return next;
  }
  static nlohmann::ordered_json sound() {
    return {{"model", "llama2:latest"},
            {"response", R"({"root_cause":"A deploy.","mitigation":"Roll back.","analysis":"Errors rose.","confidence":0.7})"},
            {"done", true},
            {"prompt_eval_count", 900},
            {"eval_count", 50},
            {"total_duration", 3'000'000'000}};
  }
  void say(int status, std::string body) { script.emplace_back(webclient::OutResponse{status, "application/json", std::move(body)}); }
};

class ExplainFixture : public testing::Test {
 protected:
  ExplainFixture() {
    llm_options.url = "http://ollama";
    llm_options.attempts = 1;
    alerts.episodes[7] = make_alert(7);
  }
  void make() {
    ollama.emplace(llm_options, web, clock, telemetry::Log{}, metrics);
    worker = std::make_unique<ExplainWorker>(
        ExplainWorker::Deps{alerts, analyses, outbox, *ollama, clock, telemetry::Log{}, metrics, [this] { ++wakes; }}, options);
  }
  [[nodiscard]] stream::Entry alert_entry(EventId event, const std::string& change, EpisodeId id) const {
    model::Episode episode = make_alert(id);
    return {std::to_string(event) + "-0",
            {event, model::Topic::alerts, "alert", codec::render_alert_event(kDefaultTenant, change, episode), clock.now()}};
  }
  [[nodiscard]] double count(const char* metric, const char* help, std::string_view outcome) {
    return metrics.counter(metric, help, {{"outcome", outcome}}).value();
  }
  [[nodiscard]] double reports(std::string_view outcome) {
    return count("sensus_analysis_reports_total", "Alert events by what came of them.", outcome);
  }
  [[nodiscard]] double requests(std::string_view outcome) {
    return count("sensus_analysis_explanations_total", "Requests for an LLM analysis by what came of them.", outcome);
  }

  ManualClock clock{at("2026-11-20T12:06:00Z")};
  telemetry::Metrics metrics;
  FakeAlerts alerts;
  FakeAnalyses analyses;
  FakeOutbox outbox;
  FakeOllamaServer web;
  llm::Options llm_options;
  EvidenceOptions options;
  std::optional<llm::Ollama> ollama;
  std::unique_ptr<ExplainWorker> worker;
  int wakes = 0;
};

}  // namespace sensus::analysis::test_support
