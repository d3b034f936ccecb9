#include "group_job_internal.hpp"

#include "verdict_json_internal.hpp"

#include <algorithm>
#include <limits>
#include <map>

namespace sensus::analysis {
namespace {

constexpr std::size_t kToldMax = 8;  ///< Columns that an anomaly names.

/// The anomaly is one of the group's score: below its threshold lie ordinary ones.
model::Anomaly make_anomaly(Timestamp time, const ml::Verdict& verdict) {
  model::Anomaly anomaly;
  anomaly.time = time;
  anomaly.value = verdict.score;
  anomaly.expected = 0;
  anomaly.band_low = 0;
  anomaly.band_high = verdict.threshold;
  anomaly.score = verdict.score;
  anomaly.threshold = verdict.threshold;
  anomaly.model_version = "group";
  anomaly.kind = ml::name_of(verdict.kind);
  anomaly.tier = ml::name_of(verdict.tier);
  anomaly.evidence = verdict.evidence;
  anomaly.since = verdict.since;
  anomaly.features_json = render_features(verdict, kToldMax);
  anomaly.contributions_json = render_contributions(verdict, kToldMax);
  return anomaly;
}

/// A mean over a reset is of two counts: it says nothing.
std::optional<double> value_of(GroupColumn& column, const model::Sample& step) {
  if (column.kind == SeriesKind::values) {
    return step.value;
  }
  const std::uint64_t resets = column.rate.resets();
  const std::optional<double> rate = column.rate.update(step.time, step.value);
  return column.kind == SeriesKind::counter_means && column.rate.resets() != resets ? std::nullopt
                                                                                    : rate;
}

using Rows = std::map<Timestamp, std::vector<double>>;

Rows make_rows(GroupTask& task) {
  Rows rows;
  for (const storage::SampleStore::StepMeans& steps : task.steps) {
    const auto column = std::ranges::find(task.columns, steps.series, &GroupColumn::series);
    if (column == task.columns.end()) {
      continue;
    }
    const auto at = static_cast<std::size_t>(column - task.columns.begin());
    for (const model::Sample& step : steps.points) {
      if (const std::optional<double> value = value_of(*column, step)) {
        rows.try_emplace(step.time, task.columns.size(), std::numeric_limits<double>::quiet_NaN())
            .first->second[at] = *value;
      }
    }
  }
  return rows;
}

void run(GroupTask& task, const GroupJob& job) {
  for (const auto& [series, time] : task.odd) {
    task.share.note(static_cast<std::uint64_t>(series), time);
  }
  for (const auto& [time, values] : make_rows(task)) {
    if (job.cancelled) {
      return;
    }
    const ml::Verdict verdict = task.detector ? task.detector->update(time, values) : ml::Verdict{};
    if (time <= task.judged) {
      continue;
    }
    GroupRow& row = task.rows.emplace_back();
    row.time = time;
    row.share = task.share.share(time + job.step, task.members);
    row.score = verdict.score;
    if (verdict.is_anomaly) {
      row.anomaly = make_anomaly(time, verdict);
    }
  }
  task.steps.clear();
}

}  // namespace

void run(GroupJob& job) {
  for (GroupTask& task : job.tasks) {
    run(task, job);
  }
}

std::uint64_t group_seed(const std::string& name, const std::string& value) {
  std::uint64_t hash = 14'695'981'039'346'656'037ULL;  // FNV-1a.
  for (const char c : name + '\0' + value) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  }
  return hash;
}

}  // namespace sensus::analysis
