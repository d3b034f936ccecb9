#pragma once

#include "sensus/ml/counter_rate.hpp"
#include "sensus/ml/group_detector.hpp"
#include "sensus/model/analysis.hpp"
#include "sensus/storage/samples.hpp"

#include "series_scorer_internal.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sensus::analysis {

/// How long an anomaly counts for the share.
inline constexpr std::chrono::minutes kShareWindow{15};

struct GroupColumn {
  SeriesId series = 0;
  std::string name;  ///< As people read it, without the label of the group.
  SeriesKind kind = SeriesKind::values;
  ml::CounterRate rate = {};
};

/// What is said of one step of a group.
struct GroupRow {
  Timestamp time;
  double share = 0;
  double score = 0;
  std::optional<model::Anomaly> anomaly;  ///< Without its series.
};

/// One group's part of a job.
struct GroupTask {
  std::pair<std::size_t, std::string> key = {};  ///< The caller's name of it.
  std::vector<GroupColumn> columns;
  std::optional<ml::GroupDetector> detector;  ///< None with fewer than two columns.
  ml::AnomalousShare share{kShareWindow};
  std::size_t members = 0;
  std::vector<std::pair<SeriesId, Timestamp>> odd;     ///< Members that were anomalous, and when.
  std::vector<storage::SampleStore::StepMeans> steps;  ///< Of the columns.
  Timestamp judged = Timestamp::min();  ///< Steps up to here are learned without a word.
  std::vector<GroupRow> rows;           ///< Out: steps after `judged`.
};

/// A job of the cpu pool. It owns the detectors it works on.
struct GroupJob {
  std::vector<GroupTask> tasks;
  std::chrono::seconds step{60};
  Timestamp until;  ///< Steps before this are in it.
  std::atomic<bool> cancelled = false;
};
void run(GroupJob& job);

/// The same for a group always.
[[nodiscard]] std::uint64_t group_seed(const std::string& name, const std::string& value);

}  // namespace sensus::analysis
