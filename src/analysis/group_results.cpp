#include "group_watch_internal.hpp"

#include <algorithm>

namespace sensus::analysis {
namespace {

constexpr std::size_t kPage = 1'000;

}  // namespace

/// Samples first: an anomaly needs the series of its group's score. What was stored before a
/// failure is stored again to no effect.
runtime::Async<> GroupWatch::Impl::tell(Deadline deadline) {
  if (!told.samples.empty()) {
    model::SampleBatch batch = told.samples;
    Result<std::size_t> stored =
        co_await deps.accept_samples(deadline, kDefaultTenant, std::move(batch));
    if (!stored) {
      co_return std::move(stored).error();
    }
    told.samples = {};
  }
  if (told.anomalies.empty()) {
    co_return Result<>{};
  }
  Result<> found = co_await find_score_series(deadline);
  if (!found) {
    co_return std::move(found).error();
  }
  std::vector<model::Anomaly> anomalies;
  for (const auto& [key, anomaly] : told.anomalies) {
    const auto group = groups.find(key);
    if (group != groups.end() && group->second.score_series != 0) {
      anomalies.push_back(anomaly);
      anomalies.back().series_id = group->second.score_series;
    } else {
      metrics.anomalies_lost.inc();
    }
  }
  Result<std::size_t> stored =
      co_await deps.analyses.store_anomalies(deadline, kDefaultTenant, std::move(anomalies), {});
  if (!stored) {
    co_return std::move(stored).error();
  }
  told.anomalies.clear();
  metrics.anomalies.inc(static_cast<double>(*stored));
  if (*stored > 0 && deps.on_outbox) {
    deps.on_outbox();
  }
  co_return Result<>{};
}

/// Of the groups that have an anomaly to tell; ids change only when a series was removed, and then
/// its group is new here too.
runtime::Async<> GroupWatch::Impl::find_score_series(Deadline deadline) {
  const auto is_unknown = [this](const auto& entry) {
    const auto group = groups.find(entry.first);
    return group != groups.end() && group->second.score_series == 0;
  };
  if (std::ranges::none_of(told.anomalies, is_unknown)) {
    co_return Result<>{};
  }
  SeriesId after = 0;
  for (bool more = true; more;) {
    storage::SeriesQuery query;
    query.metric_name = kGroupScoreMetric;
    query.limit = kPage;
    query.after = after;
    const Result<std::vector<storage::SeriesInfo>> page =
        co_await deps.samples.list_series(deadline, kDefaultTenant, std::move(query));
    if (!page) {
      co_return page.error();
    }
    more = page->size() == kPage;
    after = page->empty() ? after : page->back().id;
    for (auto& [key, group] : groups) {
      const model::Labels labels = labels_of(key);
      const auto found = std::ranges::find_if(*page, [&labels](const storage::SeriesInfo& one) {
        return one.metric_name == kGroupScoreMetric && one.labels == labels;
      });
      group.score_series = found == page->end() ? group.score_series : found->id;
    }
  }
  co_return Result<>{};
}

}  // namespace sensus::analysis
