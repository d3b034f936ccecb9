#include "anomaly_worker_internal.hpp"

namespace sensus::analysis {
namespace {

constexpr std::chrono::seconds kLookUpLimit{10};

}  // namespace

/// What the steps of the series are, and which rule holds for each: asked when a detector is to be made or restored.
runtime::Async<> AnomalyWorker::Impl::look_up(Deadline deadline, std::vector<SeriesTask>& tasks) {
  const TenantId tenant = tasks.front().key.tenant;
  std::map<SeriesId, SeriesTask*> by_series;
  std::vector<SeriesId> ids;
  const ml::Gates usual = deps.rules.gates(std::nullopt, deps.clock.now());
  for (SeriesTask& task : tasks) {
    by_series[task.key.series] = &task;
    ids.push_back(task.key.series);
    task.gates = usual;
    task.profile = cache.profile_of(task.key);
  }
  const Deadline limit = min(deadline, Deadline::after(kLookUpLimit));
  std::vector<model::Selector> selectors = deps.rules.selectors();
  const Result<std::vector<storage::SeriesMatch>> matches = co_await deps.samples.match_series(limit, tenant, std::move(ids), std::move(selectors));
  if (!matches) {
    metrics.failures_facts.inc();
    co_return matches.error();
  }
  std::vector<std::string> names;
  for (const storage::SeriesMatch& match : *matches) {
    names.push_back(match.series.metric_name);
  }
  const Result<storage::MetadataStore::ByMetric> metadata = co_await deps.metadata.of_metrics(limit, tenant, std::move(names));
  if (!metadata) {
    metrics.failures_facts.inc();
    co_return metadata.error();
  }
  for (const storage::SeriesMatch& match : *matches) {
    SeriesTask& task = *by_series.at(match.series.id);
    const auto known = metadata->find(match.series.metric_name);
    task.kind = kind_of(match.series.metric_name, known == metadata->end() ? std::nullopt : std::optional(known->second.type));
    if (match.selector) {
      task.gates = deps.rules.gates(match.selector, deps.clock.now());
    }
    // What is odd about it is said by the group.
    task.gates.is_muted = task.gates.is_muted || match.series.metric_name == kGroupScoreMetric;
  }
  co_return Result<>{};
}

}  // namespace sensus::analysis
