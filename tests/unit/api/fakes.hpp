#pragma once

#include "sensus/api/router.hpp"

#include "support/fake_stores.hpp"

#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sensus::api::test {

inline Timestamp at(std::string_view text) { return parse_rfc3339(text).value(); }

inline model::Episode make_episode(EpisodeId id) {
  model::Episode out;
  out.id = id;
  out.labels = {{"alertname", "HighLatency"}, {"service", "checkout"}};
  out.annotations = {{"description", "p99 is \"high\""}};
  out.alert_name = "HighLatency";
  out.severity = "critical";
  out.fingerprint = "791cec13fcba0368";
  out.starts_at = at("2026-11-20T09:00:00Z");
  out.created_at = out.last_received_at = at("2026-11-20T09:00:01.5Z");
  return out;
}

inline model::Analysis make_analysis(AnalysisId id, model::AnalysisType type) {
  model::Analysis out;
  out.id = id;
  out.alert_id = 42;
  out.type = type;
  out.model_name = type == model::AnalysisType::llm_analysis ? "llama2" : "evidence";
  out.data_json = R"({"summary":"checkout is slow"})";
  out.confidence = 0.5;
  out.created_at = at("2026-11-20T09:00:02Z");
  return out;
}

inline model::Anomaly make_anomaly(AnalysisId id) {
  model::Anomaly out;
  out.id = id;
  out.series_id = 3;
  out.metric_name = "latency_seconds";
  out.labels = {{"service", "checkout"}};
  out.time = at("2026-11-20T08:59:00Z");
  out.value = 2.5;
  out.score = 0.8;
  out.threshold = 0.6;
  out.model_version = "1";
  out.features_json = R"({"value":2.5})";
  return out;
}

inline storage::SeriesInfo make_series(SeriesId id) {
  return {.id = id, .metric_name = "latency_seconds", .labels = {{"service", "checkout"}},
          .first_seen = at("2026-11-01T00:00:00Z"), .last_seen = at("2026-11-20T09:00:00Z")};
}

/// Set `error` to make every verb fail with it.
struct FakeAlerts final : storage::AlertStore {
  std::optional<Error> error;
  storage::AlertFilter seen;
  storage::Page<model::Episode> page{{make_episode(42)}, model::PageKey{at("2026-11-20T09:00:00Z"), 42}};

  runtime::Async<std::vector<storage::AlertOutcome>> store(Deadline, TenantId, model::AlertBatch, Timestamp) override {
    co_return std::vector<storage::AlertOutcome>{};
  }
  runtime::Async<storage::Page<model::Episode>> list(Deadline, TenantId, storage::AlertFilter filter) override {
    seen = std::move(filter);
    if (error) {
      co_return *error;
    }
    co_return page;
  }
  runtime::Async<model::Episode> get(Deadline, TenantId, EpisodeId id) override {
    if (error) {
      co_return *error;
    }
    if (id != 42 && id != 1) {
      co_return make_error(Errc::not_found, "there is no alert " + std::to_string(id));
    }
    co_return make_episode(id);
  }
  runtime::Async<std::vector<model::Episode>> overlapping(Deadline, TenantId, EpisodeId, Timestamp, Timestamp,
                                                          std::size_t) override {
    co_return std::vector<model::Episode>{};
  }
  runtime::Async<Recurrence> recurrence(Deadline, TenantId, EpisodeId) override { co_return Recurrence{}; }
};

struct FakeAnalyses final : storage::AnalysisStore {
  std::optional<Error> error;
  storage::AnalysisFilter seen;
  storage::AnomalyFilter seen_anomalies;
  std::vector<model::Analysis> rows{make_analysis(9, model::AnalysisType::llm_analysis),
                                    make_analysis(8, model::AnalysisType::evidence_report),
                                    make_analysis(7, model::AnalysisType::evidence_report)};

  runtime::Async<std::size_t> store_anomalies(Deadline, TenantId, std::vector<model::Anomaly>,
                                              std::vector<EventId>) override {
    co_return std::size_t{0};
  }
  runtime::Async<AnalysisId> store_analysis(Deadline, TenantId, storage::NewAnalysis) override {
    co_return AnalysisId{1};
  }
  runtime::Async<storage::Page<model::Analysis>> list(Deadline, TenantId, storage::AnalysisFilter filter) override {
    seen = filter;
    if (error) {
      co_return *error;
    }
    co_return storage::Page<model::Analysis>{rows, std::nullopt};
  }
  runtime::Async<model::Analysis> latest(Deadline, TenantId) override {
    if (error) {
      co_return *error;
    }
    if (rows.empty()) {
      co_return make_error(Errc::not_found, "there is no analysis yet");
    }
    co_return rows.front();
  }
  runtime::Async<storage::Page<model::Anomaly>> anomalies(Deadline, TenantId, storage::AnomalyFilter filter) override {
    seen_anomalies = std::move(filter);
    if (error) {
      co_return *error;
    }
    co_return storage::Page<model::Anomaly>{{make_anomaly(5)}, std::nullopt};
  }
};

inline model::ModelVersion make_model_version(std::int64_t id) {
  model::ModelVersion row;
  row.id = id;
  row.version = std::to_string(id);
  row.algorithm = "isolation_forest";
  row.profile = "standard";
  row.parameters_json = R"({"profile":"standard"})";
  row.training_date = at("2026-11-20T02:00:00Z");
  row.is_active = true;
  return row;
}

struct FakeModels final : storage::ModelStore {
  std::optional<Error> error;
  std::size_t seen_limit = 0;
  std::optional<model::PageKey> seen_after;
  std::int64_t activated = 0;

  runtime::Async<model::ModelVersion> publish(Deadline, TenantId, model::ModelVersion version) override {
    co_return version;
  }
  runtime::Async<storage::Page<model::ModelVersion>> list(Deadline, TenantId, std::size_t limit,
                                                          std::optional<model::PageKey> after) override {
    seen_limit = limit;
    seen_after = after;
    co_return storage::Page<model::ModelVersion>{{make_model_version(1)}, std::nullopt};
  }
  runtime::Async<model::ModelVersion> add(Deadline, TenantId, model::ModelVersion version) override { co_return version; }
  runtime::Async<model::ModelVersion> get(Deadline, TenantId, std::int64_t id) override { co_return make_model_version(id); }
  runtime::Async<model::ModelVersion> active(Deadline, TenantId, std::string) override { co_return make_model_version(1); }
  runtime::Async<model::ModelVersion> activate(Deadline, TenantId, std::int64_t id) override {
    if (error) {
      co_return *error;
    }
    if (id != 42 && id != 1) {
      co_return make_error(Errc::not_found, "there is no model version " + std::to_string(id));
    }
    activated = id;
    co_return make_model_version(id);
  }
  runtime::Async<> set_quality(Deadline, TenantId, std::int64_t, std::string, Timestamp, Timestamp) override { co_return Result<>{}; }
  runtime::Async<std::size_t> purge(Deadline, TenantId, std::string, std::size_t) override { co_return std::size_t{0}; }
};

inline model::Job make_job(std::int64_t id, model::JobKind kind = model::JobKind::train) {
  model::Job job;
  job.id = id;
  job.kind = kind;
  job.parameters_json = "{}";
  job.created_at = at("2026-11-20T09:00:00Z");
  return job;
}

struct FakeJobs final : storage::JobStore {
  std::optional<Error> error;
  std::vector<storage::NewJob> created;

  runtime::Async<model::Job> create(Deadline, TenantId, storage::NewJob job) override {
    if (error) {
      co_return *error;
    }
    created.push_back(job);
    co_return make_job(42, job.kind);
  }
  runtime::Async<model::Job> get(Deadline, TenantId, std::int64_t id) override {
    if (id != 42 && id != 1) {
      co_return make_error(Errc::not_found, "there is no job " + std::to_string(id));
    }
    co_return make_job(id);
  }
  runtime::Async<storage::Page<model::Job>> list(Deadline, TenantId, std::size_t, std::optional<model::PageKey>) override {
    if (error) {
      co_return *error;
    }
    co_return storage::Page<model::Job>{{make_job(42)}, std::nullopt};
  }
  runtime::Async<std::optional<model::Job>> claim(Deadline, TenantId, std::string, std::chrono::seconds) override {
    co_return std::optional<model::Job>{};
  }
  runtime::Async<bool> keep(Deadline, TenantId, std::int64_t, std::string, double, std::chrono::seconds) override { co_return true; }
  runtime::Async<> finish(Deadline, TenantId, std::int64_t, std::string, Result<std::string>) override { co_return Result<>{}; }
  runtime::Async<std::optional<Timestamp>> last_due(Deadline, TenantId, model::JobKind) override { co_return std::optional<Timestamp>{}; }
};

struct FakeSamples final : storage::SampleStore {
  std::optional<Error> error;
  storage::SeriesQuery seen_series;
  storage::RangeQuery seen_range;
  std::vector<storage::SamplesQuery> seen_reads;
  std::vector<storage::RangeSeries> read_series;  ///< What read_samples answers.
  std::vector<storage::SeriesInfo> series{make_series(1), make_series(2), make_series(3)};
  std::size_t range_series = 1;
  SeriesId empty_series = 0;  ///< Comes without points.

  runtime::Async<std::vector<storage::SeriesInfo>> list_series(Deadline, TenantId, storage::SeriesQuery query) override {
    seen_series = query;
    if (error) {
      co_return *error;
    }
    std::vector<storage::SeriesInfo> out(series.begin(),
                                         series.begin() + static_cast<std::ptrdiff_t>(std::min(series.size(), query.limit)));
    co_return out;
  }
  runtime::Async<std::vector<storage::SeriesMatch>> match_series(Deadline, TenantId, std::vector<SeriesId>, std::vector<model::Selector>) override {
    co_return std::vector<storage::SeriesMatch>{};
  }
  runtime::Async<std::vector<storage::SeriesInfo>> series_by_id(Deadline, TenantId, std::vector<SeriesId>) override {
    co_return series;
  }
  runtime::Async<std::vector<storage::RangeSeries>> read_samples(Deadline, TenantId, storage::SamplesQuery query) override {
    seen_reads.push_back(query);
    if (error) {
      co_return *error;
    }
    co_return read_series;
  }
  runtime::Async<std::vector<storage::RangeSeries>> query_range(Deadline, TenantId, storage::RangeQuery query) override {
    seen_range = query;
    if (error) {
      co_return *error;
    }
    std::vector<storage::RangeSeries> out;
    for (std::size_t i = 0; i < std::min(range_series, query.series_max); ++i) {
      const auto id = static_cast<SeriesId>(i + 1);
      out.push_back({make_series(id), {}});
      if (id != empty_series) {
        out.back().points = {{query.from, 1.5}, {query.from + query.step, -2e20}};
      }
    }
    co_return out;
  }
  runtime::Async<std::vector<StepMeans>> step_means(Deadline, TenantId, std::vector<SeriesId>, Timestamp, Timestamp,
                                                    std::chrono::seconds) override {
    co_return std::vector<StepMeans>{};
  }
  runtime::Async<std::vector<RawSample>> recent_samples(Deadline, TenantId, Timestamp, Timestamp, std::size_t) override {
    co_return std::vector<RawSample>{};
  }
  runtime::Async<std::vector<SeriesId>> ended(Deadline, TenantId, std::vector<SeriesId>) override { co_return std::vector<SeriesId>{}; }
  runtime::Async<std::size_t> count_active_series(Deadline, TenantId, std::chrono::seconds) override { co_return std::size_t{0}; }
  runtime::Async<std::optional<Timestamp>> newest_sample(Deadline, TenantId, Timestamp) override {
    co_return std::optional<Timestamp>{};
  }
};

struct FakeMetadata final : storage::MetadataStore {
  std::optional<Error> error;
  storage::MetadataQuery seen;
  std::vector<model::MetricMetadata> families{{"latency_seconds", model::MetricType::gauge, "seconds", "How \"long\"."},
                                              {"requests_total", model::MetricType::counter, "", ""}};

  runtime::Async<Stored> store(Deadline, TenantId, std::vector<model::MetricMetadata>, std::size_t) override {
    co_return Stored{};
  }
  runtime::Async<std::vector<model::MetricMetadata>> list(Deadline, TenantId, storage::MetadataQuery query) override {
    seen = query;
    if (error) {
      co_return *error;
    }
    std::vector<model::MetricMetadata> out(families.begin(),
                                           families.begin() + static_cast<std::ptrdiff_t>(std::min(families.size(), query.limit)));
    co_return out;
  }
  runtime::Async<ByMetric> of_metrics(Deadline, TenantId, std::vector<std::string> names) override {
    if (error) {
      co_return *error;
    }
    ByMetric out;
    for (const std::string& name : names) {
      for (const model::MetricMetadata& family : families) {
        if (family.family == name) {
          out.emplace(name, family);
        }
      }
    }
    co_return out;
  }
};

struct FakeLastSamples final : storage::LastSampleStore {
  std::optional<Error> error;
  std::vector<storage::LastSample> stored;
  std::size_t calls = 0;

  runtime::Async<std::vector<storage::LastSample>> last_of(Deadline, TenantId, std::vector<model::LabelsHash>) override {
    ++calls;
    if (error) {
      co_return *error;
    }
    co_return stored;
  }
};

/// Hands out what is scripted, batch by batch, then fails as a closed feed does.
struct FakeSubscription final : stream::LiveFeed::Subscription {
  std::deque<std::vector<stream::Entry>> batches;

  runtime::Async<std::vector<stream::Entry>> next(Deadline) override {
    if (batches.empty()) {
      co_return make_error(Errc::unavailable, "the feed is closed");
    }
    std::vector<stream::Entry> out = std::move(batches.front());
    batches.pop_front();
    co_return out;
  }
};

inline stream::Entry make_entry(std::string id, std::string type, std::string payload) {
  stream::Entry entry;
  entry.stream_id = std::move(id);
  entry.event.type = std::move(type);
  entry.event.payload = std::move(payload);
  return entry;
}

/// What ingest and the live feed would do.
struct FakeFlow {
  std::optional<Error> error;
  std::string thrown;  ///< Not empty: samples meet a bug.
  std::size_t room = std::numeric_limits<std::size_t>::max();  ///< So many samples of a body are of series that may be.
  model::SampleBatch samples;
  model::MetadataBatch metadata;  ///< Of the last body.
  model::AlertBatch alerts;
  std::size_t alert_calls = 0;
  std::vector<storage::AlertOutcome> outcomes;
  std::optional<std::string> seen_last_event_id;
  std::deque<std::vector<stream::Entry>> batches;

  runtime::Async<std::size_t> accept_samples(Deadline, TenantId, model::SampleBatch batch) {
    if (!thrown.empty()) {
      throw std::runtime_error(thrown);
    }
    if (error) {
      co_return *error;
    }
    samples = std::move(batch);
    co_return std::min(samples.size(), room);
  }
  runtime::Async<std::vector<storage::AlertOutcome>> accept_alerts(Deadline, TenantId, model::AlertBatch batch) {
    ++alert_calls;
    if (error) {
      co_return *error;
    }
    alerts = std::move(batch);
    if (outcomes.empty()) {
      outcomes.resize(alerts.arrivals.size(), {42, model::MergeAction::create});
    }
    co_return outcomes;
  }
  model::ForecastQuery seen_forecast;
  runtime::Async<std::vector<model::SeriesForecast>> forecast(Deadline, TenantId, model::ForecastQuery query) {
    seen_forecast = query;
    if (error) {
      co_return *error;
    }
    std::vector<model::SeriesForecast> out(2);
    out[0] = {.id = 3, .metric_name = "disk_used_ratio", .labels = {{"host", "db-1"}}, .status = model::SeriesForecast::Status::ok};
    out[0].learned_to = at("2026-11-20T09:59:00Z");
    out[0].points = {{at("2026-11-20T11:00:00Z"), 0.5, 0.4, 0.6}};
    out[0].limit_earliest = out[0].limit_at = at("2026-11-20T11:00:00Z");
    out[1] = {.id = 4, .metric_name = "requests_total", .is_rate = true, .status = model::SeriesForecast::Status::silent};
    co_return out;
  }
  runtime::Async<std::unique_ptr<stream::LiveFeed::Subscription>> subscribe(Deadline,
                                                                            std::optional<std::string> last_event_id) {
    seen_last_event_id = std::move(last_event_id);
    if (error) {
      co_return *error;
    }
    auto subscription = std::make_unique<FakeSubscription>();
    subscription->batches = batches;
    co_return std::unique_ptr<stream::LiveFeed::Subscription>(std::move(subscription));
  }
};

/// Everything a router needs, with a clock that stands at 2026-11-20T10:00:00Z.
struct World {
  FakeFlow flow;
  FakeAlerts alerts;
  FakeAnalyses analyses;
  FakeModels models;
  FakeJobs jobs;
  ::sensus::test::FakeFeedbackStore feedback;
  int job_wakes = 0;
  int model_wakes = 0;
  FakeSamples samples;
  FakeMetadata metadata;
  FakeLastSamples last_samples;
  telemetry::Health health;
  telemetry::Metrics metrics;
  ManualClock clock{at("2026-11-20T10:00:00Z")};
  std::vector<std::string> log_lines;
  telemetry::LogSystem logs{{}, [this](std::string_view line) { log_lines.emplace_back(line); }};
  bool started = true;
  bool draining = false;
  int reloads = 0;
  std::optional<Error> reload_error;
  Options options;
  runtime::BlockingPool* parse_pool = nullptr;

  http::Router make() {
    return make_router(
        Deps{.accept_samples = [this](Deadline deadline, TenantId tenant,
                                      model::SampleBatch batch) { return flow.accept_samples(deadline, tenant, std::move(batch)); },
             .note_metadata = [this](TenantId, const model::MetadataBatch& batch) { flow.metadata = batch; },
             .accept_alerts = [this](Deadline deadline, TenantId tenant,
                                     model::AlertBatch batch) { return flow.accept_alerts(deadline, tenant, std::move(batch)); },
             .subscribe = [this](Deadline deadline,
                                 std::optional<std::string> id) { return flow.subscribe(deadline, std::move(id)); },
             .forecast = [this](Deadline deadline, TenantId tenant,
                                model::ForecastQuery query) { return flow.forecast(deadline, tenant, std::move(query)); },
             .alerts = alerts,
             .analyses = analyses,
             .models = models,
             .jobs = jobs,
             .feedback = feedback,
             .samples = samples,
             .metadata = metadata,
             .last_samples = last_samples,
             .health = health,
             .metrics = metrics,
             .log = logs.log("api"),
             .clock = clock,
             .limits = {},
             .environment = "test",
             .version = "1.2.3",
             .parse_pool = parse_pool,
             .started = [this] { return started; },
             .draining = [this] { return draining; },
             .wake_models = [this] { ++model_wakes; },
             .wake_jobs = [this] { ++job_wakes; },
             .reload = [this]() -> Result<> {
               ++reloads;
               return reload_error ? Result<>(*reload_error) : Result<>();
             }},
        options);
  }
};

}  // namespace sensus::api::test
