#include "group_watch_internal.hpp"

#include "sensus/model/series_text.hpp"

#include <algorithm>

namespace sensus::analysis {
namespace {

constexpr std::size_t kGroupsMax = 200;     ///< Half a megabyte each, with 16 columns.
constexpr std::size_t kMembersMax = 5'000;  ///< Of a configured group.
constexpr std::size_t kPage = 1'000;
/// A member is in use when it was seen within this; `last_seen` lags behind by up to half an hour.
constexpr std::chrono::hours kInUse{2};
/// Columns that come or go have a detector learn anew; not more often than this.
constexpr std::chrono::minutes kLearnAgain{30};

bool is_own(const std::string& metric) {
  return metric == kAnomalousShareMetric || metric == kGroupScoreMetric;
}

bool have_same_series(const std::vector<GroupColumn>& a, const std::vector<GroupColumn>& b) {
  return std::ranges::equal(a, b, {}, &GroupColumn::series, &GroupColumn::series);
}

}  // namespace

runtime::Async<> GroupWatch::Impl::list_members(
    Deadline deadline, std::size_t configured_index,
    std::map<Key, std::vector<storage::SeriesInfo>>& found) {
  const Timestamp since = deps.clock.now() - kInUse;
  std::size_t count = 0;
  SeriesId after = 0;
  for (bool more = true; more;) {
    storage::SeriesQuery query;
    query.selector = configured[configured_index].selector;
    query.limit = kPage;
    query.after = after;
    Result<std::vector<storage::SeriesInfo>> page =
        co_await deps.samples.list_series(deadline, kDefaultTenant, std::move(query));
    if (!page) {
      co_return std::move(page).error();
    }
    more = page->size() == kPage;
    after = page->empty() ? after : page->back().id;
    for (storage::SeriesInfo& series : *page) {
      const std::string value(series.labels.get(configured[configured_index].options.by));
      if (value.empty() || is_own(series.metric_name) || series.last_seen < since) {
        continue;
      }
      if (count == kMembersMax) {
        ++members_left_out;
        continue;
      }
      ++count;
      found[{configured_index, value}].push_back(std::move(series));
    }
  }
  co_return Result<>{};
}

runtime::Async<> GroupWatch::Impl::refresh_members(Deadline deadline) {
  members_left_out = 0;
  std::map<Key, std::vector<storage::SeriesInfo>> found;
  for (std::size_t i = 0; i < configured.size(); ++i) {
    Result<> listed = co_await list_members(deadline, i, found);
    if (!listed) {
      co_return std::move(listed).error();
    }
  }
  std::set<std::string> names;
  for (const auto& [key, members] : found) {
    for (const storage::SeriesInfo& series : members) {
      names.insert(series.metric_name);
    }
  }
  std::vector<std::string> asked(names.begin(), names.end());
  const Result<storage::MetadataStore::ByMetric> metadata =
      co_await deps.metadata.of_metrics(deadline, kDefaultTenant, std::move(asked));
  if (!metadata) {
    co_return metadata.error();
  }
  adopt(found, *metadata);
  co_return Result<>{};
}

void GroupWatch::Impl::adopt(const std::map<Key, std::vector<storage::SeriesInfo>>& found,
                             const storage::MetadataStore::ByMetric& metadata) {
  std::erase_if(groups, [&found](const auto& entry) { return !found.contains(entry.first); });
  std::size_t refused = 0;
  columns_left_out = 0;
  for (const auto& [key, series] : found) {
    if (groups.size() >= kGroupsMax && !groups.contains(key)) {
      ++refused;
      continue;
    }
    Group& group = groups[key];
    group.configured = key.first;
    group.value = key.second;
    group.members.clear();
    for (const storage::SeriesInfo& one : series) {
      group.members.insert(one.id);
    }
    choose_columns(group, series, metadata);
    const bool is_due = !group.learned_at || *group.learned_at + kLearnAgain <= deps.clock.now();
    if (is_due && !have_same_series(group.columns, group.wanted)) {
      group.columns = group.wanted;
      group.detector.reset();
      group.done.reset();
    }
  }
  metrics.groups.set(static_cast<double>(groups.size()));
  metrics.left_out_groups.set(static_cast<double>(refused));
  metrics.left_out_members.set(static_cast<double>(members_left_out));
  metrics.left_out_columns.set(static_cast<double>(columns_left_out));
  if (refused + members_left_out > 0) {
    deps.log.throttled(telemetry::LogLevel::warning, "group_limits",
                       "analysis.groups selects more than is watched: narrow the selectors; the "
                       "rest takes no part",
                       {{"groups_left_out", refused}, {"members_left_out", members_left_out}});
  }
}

/// The oldest series first: they stay where others come and go.
void GroupWatch::Impl::choose_columns(Group& group, const std::vector<storage::SeriesInfo>& series,
                                      const storage::MetadataStore::ByMetric& metadata) {
  const GroupOptions& of = configured[group.configured].options;
  const std::size_t count = std::min(series.size(), static_cast<std::size_t>(of.columns_max));
  columns_left_out += series.size() - count;
  group.wanted.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const storage::SeriesInfo& one = series[i];
    model::Labels labels = one.labels;
    labels.erase(of.by);
    const auto known = metadata.find(one.metric_name);
    const auto type = known == metadata.end() ? std::nullopt : std::optional(known->second.type);
    group.wanted.push_back({.series = one.id,
                            .name = model::render_series_text(one.metric_name, labels),
                            .kind = kind_of(one.metric_name, type)});
  }
}

}  // namespace sensus::analysis
