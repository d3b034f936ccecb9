#pragma once

#include "sensus/storage/analyses.hpp"
#include "sensus/storage/detector_states.hpp"
#include "sensus/storage/feedback.hpp"
#include "sensus/storage/metadata.hpp"
#include "sensus/storage/samples.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace sensus::test {

/// Stores in memory for tests of workers. **Threading**: reactor. Calls with a queued failure return it instead of doing their work.
class FakeSampleStore final : public storage::SampleStore {
 public:
  struct StepMeansCall {
    std::vector<SeriesId> ids;
    Timestamp from;
    Timestamp to;
    std::chrono::seconds step;
  };
  std::map<SeriesId, std::vector<model::Sample>> samples;
  std::deque<Error> failures;
  std::vector<StepMeansCall> step_means_calls;

  runtime::Async<std::vector<StepMeans>> step_means(Deadline, TenantId, std::vector<SeriesId> ids, Timestamp from, Timestamp to,
                                                    std::chrono::seconds step) override {
    step_means_calls.push_back({ids, from, to, step});
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    std::vector<StepMeans> out;
    for (const SeriesId id : ids) {
      StepMeans means{id, {}};
      for (const model::Sample& sample : samples[id]) {
        if (sample.time >= from && sample.time < to) {
          means.points.push_back(sample);
        }
      }
      out.push_back(std::move(means));
    }
    co_return out;
  }
  std::vector<storage::SeriesInfo> series;  ///< What list_series shows, whatever it is asked for.
  runtime::Async<std::vector<storage::SeriesInfo>> list_series(Deadline, TenantId, storage::SeriesQuery) override { co_return series; }
  runtime::Async<std::vector<storage::SeriesInfo>> series_by_id(Deadline, TenantId, std::vector<SeriesId>) override {
    co_return std::vector<storage::SeriesInfo>{};
  }
  std::map<SeriesId, storage::SeriesMatch> matches;  ///< What match_series knows of a series, whatever the selectors.
  std::deque<Error> match_failures;
  runtime::Async<std::vector<storage::SeriesMatch>> match_series(Deadline, TenantId, std::vector<SeriesId> ids,
                                                                 std::vector<model::Selector>) override {
    if (!match_failures.empty()) {
      Error failure = match_failures.front();
      match_failures.pop_front();
      co_return failure;
    }
    std::vector<storage::SeriesMatch> out;
    for (const SeriesId id : ids) {
      if (const auto at = matches.find(id); at != matches.end()) {
        out.push_back(at->second);
      }
    }
    co_return out;
  }
  runtime::Async<std::vector<storage::RangeSeries>> read_samples(Deadline, TenantId, storage::SamplesQuery) override {
    co_return std::vector<storage::RangeSeries>{};
  }
  runtime::Async<std::vector<storage::RangeSeries>> query_range(Deadline, TenantId, storage::RangeQuery) override {
    co_return std::vector<storage::RangeSeries>{};
  }
  runtime::Async<std::vector<RawSample>> recent_samples(Deadline, TenantId, Timestamp, Timestamp, std::size_t) override {
    co_return std::vector<RawSample>{};
  }
  std::vector<SeriesId> ended_series;
  runtime::Async<std::vector<SeriesId>> ended(Deadline, TenantId, std::vector<SeriesId>) override { co_return ended_series; }
  runtime::Async<std::size_t> count_active_series(Deadline, TenantId, std::chrono::seconds) override { co_return std::size_t{0}; }
  runtime::Async<std::optional<Timestamp>> newest_sample(Deadline, TenantId, Timestamp) override { co_return std::optional<Timestamp>{}; }
};

class FakeMetadataStore final : public storage::MetadataStore {
 public:
  ByMetric by_metric;
  runtime::Async<Stored> store(Deadline, TenantId, std::vector<model::MetricMetadata>, std::size_t) override { co_return Stored{}; }
  runtime::Async<std::vector<model::MetricMetadata>> list(Deadline, TenantId, storage::MetadataQuery) override {
    co_return std::vector<model::MetricMetadata>{};
  }
  runtime::Async<ByMetric> of_metrics(Deadline, TenantId, std::vector<std::string>) override { co_return by_metric; }
};

class FakeAnalysisStore final : public storage::AnalysisStore {
 public:
  std::vector<model::Anomaly> stored_anomalies;
  std::vector<storage::NewAnalysis> stored_analyses;
  std::vector<EventId> finished;
  std::deque<Error> failures;
  /// An event that the store refuses for good.
  std::set<EventId> poison;

  runtime::Async<std::size_t> store_anomalies(Deadline, TenantId, std::vector<model::Anomaly> anomalies,
                                              std::vector<EventId> done) override {
    for (const EventId id : done) {
      if (poison.contains(id)) {
        co_return make_error(Errc::invalid_input, "poison");
      }
    }
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    std::size_t added = 0;
    for (model::Anomaly& anomaly : anomalies) {
      added += keys_.emplace(anomaly.series_id, anomaly.time).second ? 1 : 0;
      stored_anomalies.push_back(std::move(anomaly));
    }
    finished.insert(finished.end(), done.begin(), done.end());
    co_return added;
  }
  runtime::Async<AnalysisId> store_analysis(Deadline, TenantId, storage::NewAnalysis analysis) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    finished.push_back(analysis.event_id);
    stored_analyses.push_back(std::move(analysis));
    co_return static_cast<AnalysisId>(stored_analyses.size());
  }
  runtime::Async<storage::Page<model::Analysis>> list(Deadline, TenantId, storage::AnalysisFilter) override {
    co_return storage::Page<model::Analysis>{};
  }
  runtime::Async<model::Analysis> latest(Deadline, TenantId) override { co_return make_error(Errc::not_found, "no analysis yet"); }
  runtime::Async<storage::Page<model::Anomaly>> anomalies(Deadline, TenantId, storage::AnomalyFilter) override {
    co_return storage::Page<model::Anomaly>{stored_anomalies, std::nullopt};
  }

 private:
  std::set<std::pair<SeriesId, Timestamp>> keys_;
};

class FakeDetectorStateStore final : public storage::DetectorStateStore {
 public:
  std::map<std::pair<std::string, SeriesId>, storage::DetectorState> states;  ///< By model key and series.
  std::deque<Error> failures;
  std::function<void()> on_save;

  runtime::Async<std::size_t> save(Deadline, TenantId, std::string model_key, std::vector<storage::DetectorState> fresh) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    for (storage::DetectorState& state : fresh) {
      states[{model_key, state.series}] = state;
    }
    if (on_save) {
      on_save();
    }
    co_return fresh.size();
  }
  runtime::Async<std::vector<storage::DetectorState>> load(Deadline, TenantId, std::string model_key,
                                                           std::vector<SeriesId> series) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    std::vector<storage::DetectorState> found;
    for (const SeriesId id : series) {
      if (const auto state = states.find({model_key, id}); state != states.end()) {
        found.push_back(state->second);
      }
    }
    co_return found;
  }
  runtime::Async<std::size_t> purge(Deadline, TenantId, std::chrono::hours, std::size_t) override { co_return std::size_t{0}; }
};

class FakeFeedbackStore final : public storage::FeedbackStore {
 public:
  std::vector<storage::Feedback> rows;
  std::set<std::int64_t> applied;
  std::deque<Error> failures;

  runtime::Async<storage::Feedback> add(Deadline, TenantId, AnalysisId anomaly, std::string verdict, std::string comment) override {
    if (anomaly != 42 && anomaly != 1) {
      co_return make_error(Errc::not_found, "no such anomaly");
    }
    storage::Feedback row;
    row.id = static_cast<std::int64_t>(rows.size()) + 1;
    row.anomaly = anomaly;
    row.series = 3;
    row.verdict = std::move(verdict);
    row.comment = std::move(comment);
    rows.push_back(row);
    co_return row;
  }
  runtime::Async<std::vector<storage::Feedback>> pending(Deadline, TenantId, std::size_t) override {
    std::vector<storage::Feedback> found;
    for (const storage::Feedback& row : rows) {
      if (!applied.contains(row.id)) {
        found.push_back(row);
      }
    }
    co_return found;
  }
  runtime::Async<> mark_applied(Deadline, TenantId, std::vector<std::int64_t> ids) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    applied.insert(ids.begin(), ids.end());
    co_return Result<>{};
  }
  runtime::Async<> renew(Deadline, TenantId, std::vector<SeriesId> series) override {
    for (const storage::Feedback& row : rows) {
      if (std::find(series.begin(), series.end(), row.series) != series.end()) {
        applied.erase(row.id);
      }
    }
    co_return Result<>{};
  }
};

class FakeModelStore final : public storage::ModelStore {
 public:
  std::vector<model::ModelVersion> versions;  ///< Oldest first.
  std::deque<Error> failures;
  std::function<void(std::size_t count)> on_publish;

  runtime::Async<model::ModelVersion> publish(Deadline, TenantId, model::ModelVersion version) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    for (model::ModelVersion& other : versions) {
      other.is_active = other.is_active && other.algorithm != version.algorithm;
    }
    version.id = static_cast<std::int64_t>(versions.size()) + 1;
    version.is_active = true;
    versions.push_back(version);
    if (on_publish) {
      on_publish(versions.size());
    }
    co_return version;
  }
  runtime::Async<storage::Page<model::ModelVersion>> list(Deadline, TenantId, std::size_t, std::optional<model::PageKey>) override {
    co_return storage::Page<model::ModelVersion>{{versions.rbegin(), versions.rend()}, std::nullopt};
  }
  runtime::Async<model::ModelVersion> add(Deadline, TenantId, model::ModelVersion version) override {
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    version.id = static_cast<std::int64_t>(versions.size()) + 1;
    version.is_active = false;
    versions.push_back(version);
    co_return version;
  }
  runtime::Async<model::ModelVersion> get(Deadline, TenantId, std::int64_t id) override {
    for (const model::ModelVersion& version : versions) {
      if (version.id == id) {
        co_return version;
      }
    }
    co_return make_error(Errc::not_found, "no such version");
  }
  std::function<void()> on_active;
  runtime::Async<model::ModelVersion> active(Deadline, TenantId, std::string algorithm) override {
    if (on_active) {
      on_active();
    }
    if (!failures.empty()) {
      Error failure = failures.front();
      failures.pop_front();
      co_return failure;
    }
    for (const model::ModelVersion& version : versions) {
      if (version.is_active && version.algorithm == algorithm) {
        co_return version;
      }
    }
    co_return make_error(Errc::not_found, "none is active");
  }
  runtime::Async<model::ModelVersion> activate(Deadline, TenantId, std::int64_t id) override {
    std::optional<model::ModelVersion> found;
    for (model::ModelVersion& version : versions) {
      version.is_active = version.is_pinned = version.id == id;
      found = version.is_active ? version : found;
    }
    co_return found ? Result<model::ModelVersion>(*found) : make_error(Errc::not_found, "no such version");
  }
  runtime::Async<> set_quality(Deadline, TenantId, std::int64_t id, std::string quality_json, Timestamp from, Timestamp to) override {
    for (model::ModelVersion& version : versions) {
      if (version.id == id) {
        version.quality_json = quality_json;
        version.training_from = from;
        version.training_to = to;
      }
    }
    co_return Result<>{};
  }
  runtime::Async<std::size_t> purge(Deadline, TenantId, std::string, std::size_t) override { co_return std::size_t{0}; }
};

}  // namespace sensus::test
