#pragma once

#include "sensus/analysis/group_watch.hpp"
#include "sensus/model/selector.hpp"
#include "sensus/runtime/signal.hpp"

#include "group_job_internal.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sensus::analysis {

struct GroupMetrics {
  explicit GroupMetrics(telemetry::Metrics& metrics);
  telemetry::Gauge groups;
  telemetry::Gauge left_out_groups;
  telemetry::Gauge left_out_members;
  telemetry::Gauge left_out_columns;
  telemetry::Counter rows;
  telemetry::Counter learned;
  telemetry::Counter anomalies;
  telemetry::Counter anomalies_lost;
  telemetry::Counter failures_members;
  telemetry::Counter failures_read;
  telemetry::Counter failures_score;
  telemetry::Counter failures_store;
  telemetry::Histogram seconds;
};

/// Members are used on the reactor only; coroutines hold it by shared_ptr because the watch may be
/// destroyed while they wait.
struct GroupWatch::Impl {
  struct Configured {
    GroupOptions options;
    model::Selector selector;
  };
  /// One value of the label of a configured group.
  struct Group {
    std::size_t configured = 0;
    std::string value;
    std::set<SeriesId> members;
    std::vector<GroupColumn> wanted;   ///< As the members are now, by id.
    std::vector<GroupColumn> columns;  ///< Of the detector.
    std::optional<ml::GroupDetector> detector;
    ml::AnomalousShare share{kShareWindow};
    std::optional<Timestamp> done;  ///< Steps before this are scored; none: it is to be learned.
    std::optional<Timestamp> learned_at;
    SeriesId score_series = 0;
  };
  using Key = std::pair<std::size_t, std::string>;
  /// Results that are not stored yet.
  struct Told {
    model::SampleBatch samples;
    std::vector<std::pair<Key, model::Anomaly>> anomalies;
  };

  Impl(Deps d, GroupWatchOptions o, std::vector<Configured> c);

  // group_watch.cpp
  static runtime::Task run(std::shared_ptr<Impl> self);
  static runtime::Async<> look(std::shared_ptr<Impl> self);
  runtime::Async<> score(Deadline deadline, Timestamp until, bool is_new);
  [[nodiscard]] std::shared_ptr<GroupJob> next_job(Timestamp until, bool is_new);
  void fill_task(GroupTask& task, const Key& key, Group& group, Timestamp until);
  void give_back(GroupJob& job);
  runtime::Async<> read_steps(Deadline deadline, std::shared_ptr<GroupJob> job);
  runtime::Async<> read_odd(Deadline deadline, Timestamp until);
  void take(GroupJob& job);
  [[nodiscard]] model::Labels labels_of(const Key& key) const;

  // group_members.cpp
  runtime::Async<> refresh_members(Deadline deadline);
  runtime::Async<> list_members(Deadline deadline, std::size_t configured,
                                std::map<Key, std::vector<storage::SeriesInfo>>& found);
  void adopt(const std::map<Key, std::vector<storage::SeriesInfo>>& found,
             const storage::MetadataStore::ByMetric& metadata);
  void choose_columns(Group& group, const std::vector<storage::SeriesInfo>& series,
                      const storage::MetadataStore::ByMetric& metadata);

  // group_results.cpp
  runtime::Async<> tell(Deadline deadline);
  runtime::Async<> find_score_series(Deadline deadline);

  Deps deps;
  GroupWatchOptions options;
  std::vector<Configured> configured;
  GroupMetrics metrics;
  std::map<Key, Group> groups;
  std::map<SeriesId, Timestamp> odd;  ///< The last anomaly of each series, of the last while.
  std::size_t columns_left_out = 0;
  std::size_t members_left_out = 0;
  Told told;
  std::optional<runtime::Signal> stopping;
  bool stopped = false;
};

}  // namespace sensus::analysis
