#pragma once

#include "sensus/core/clock.hpp"
#include "sensus/model/alert.hpp"
#include "sensus/model/analysis.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/storage/alerts.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::analysis {

struct AnomalyAlertOptions {
  bool alert_on_anomaly = false;
  std::int64_t alert_resolve_steps = 5;  ///< Steps in a row without an anomaly that end an alert.
};
/// Keys of the section `analysis`.
void describe(config::Section& section, AnomalyAlertOptions& options);

/// What a detector said of one step of a series.
struct JudgedStep {
  SeriesId series = 0;
  Timestamp time;
  double value = 0;                       ///< What was judged. NaN: the step was not, it is passed by.
  std::optional<model::Anomaly> anomaly;  ///< Of a detector, which flags a shift when it begins and soon takes it for ordinary.
};

/// Makes alerts `SensusAnomaly` of anomalies of the alerting tier, by the path that every alert takes: one a series at a time, which fires while
/// the series is outside its ordinary band of the beginning, for at most kHoldFor without a further anomaly. What fires is known from the stored alerts, so a restart, or another replica, goes on with them.
/// **Threading**: reactor; one call at a time. **Errors/limits**: a step may be told again, which changes nothing; at most kFiringMax alerts
/// fire at once, further ones are counted. Series that are about alerts or about Sensus itself raise none, or one alert would make the next.
class AnomalyAlerts {
 public:
  static constexpr std::size_t kFiringMax = 1'000;
  static constexpr std::chrono::hours kHoldFor{2};

  struct Deps {
    storage::AlertStore& alerts;
    storage::SampleStore& samples;
    /// The path of every alert.
    std::function<runtime::Async<std::vector<storage::AlertOutcome>>(Deadline, TenantId, model::AlertBatch)> accept;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    std::function<bool()> holds = {};  ///< Is it this replica that analyses? Empty: yes.
  };
  AnomalyAlerts(Deps deps, AnomalyAlertOptions options);
  ~AnomalyAlerts();
  AnomalyAlerts(const AnomalyAlerts&) = delete;
  AnomalyAlerts& operator=(const AnomalyAlerts&) = delete;

  [[nodiscard]] bool enabled() const;
  /// Does an alert of this series fire? Then each of its steps is to be told.
  [[nodiscard]] bool is_firing(TenantId tenant, SeriesId series) const;
  /// To be called before the effect of these steps is committed. An error of the alert path that passes by itself: tell them again.
  [[nodiscard]] runtime::Async<> tell(Deadline deadline, TenantId tenant, std::vector<JudgedStep> steps);
  /// Ends alerts of series that nothing was heard of for an hour, and, when alerting on anomalies was switched off, all of them.
  [[nodiscard]] runtime::Async<> sweep(Deadline deadline);
  /// Another replica has gone on with them.
  void forget();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
