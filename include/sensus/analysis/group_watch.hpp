#pragma once

#include "sensus/analysis/group_options.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/core/ids.hpp"
#include "sensus/model/sample.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/metadata.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>

namespace sensus::analysis {

struct GroupWatchOptions {
  std::deque<GroupOptions> groups;
  std::chrono::seconds step{60};  ///< Of the rows: that of the analysis.
  std::chrono::milliseconds wait{
      15'000};  ///< How long after its end a step is looked at; what comes later takes no part.
  std::chrono::milliseconds history{86'400'000};  ///< Stored past that a detector learns from.
};

/// Watches groups of series: an ml::GroupDetector a group scores the row of each step, and the
/// share of its series that were anomalous lately is told. Reads what is stored (steps, anomalies)
/// and keeps nothing of its own but detectors, so that a restart or another replica goes on from
/// there; ADR 0025. What it says goes the way of every sample: the series kGroupScoreMetric and
/// kAnomalousShareMetric, one sample a step and group. Anomalies of a group belong to its score,
/// with the columns that do not fit as contributions.
/// **Threading**: reactor; detectors on the cpu pool. **Errors/limits**: 200 groups, 5,000 members
/// of a configured group, columns_max columns of each; what is beyond is left out and counted. A
/// pass that fails is made again; while results cannot be stored nothing new is scored, and what is
/// missed meanwhile is read later, as far back as `history`.
class GroupWatch {
 public:
  using AcceptSamples =
      std::function<runtime::Async<std::size_t>(Deadline, TenantId, model::SampleBatch)>;
  struct Deps {
    storage::SampleStore& samples;
    storage::AnalysisStore& analyses;
    storage::MetadataStore& metadata;
    runtime::BlockingPool& cpu;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    AcceptSamples accept_samples;
    std::function<void()> on_outbox;
    std::function<bool()> may_run = {};  ///< Whether this replica analyses; groups are forgotten
                                         ///< while it does not. Empty: always.
  };
  /// `invalid_input` for a selector that is none.
  [[nodiscard]] static Result<std::unique_ptr<GroupWatch>> make(Deps deps,
                                                                GroupWatchOptions options);
  ~GroupWatch();
  GroupWatch(const GroupWatch&) = delete;
  GroupWatch& operator=(const GroupWatch&) = delete;

  /// Looks at each step once it is over; ends after `stop`, at once without configured groups.
  [[nodiscard]] runtime::Task run();
  /// One look at what is stored by now.
  [[nodiscard]] runtime::Async<> look();
  void stop();

 private:
  struct Impl;
  explicit GroupWatch(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
