#pragma once

#include "sensus/analysis/rules.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/model/alert.hpp"
#include "sensus/model/forecast.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/storage/alerts.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace sensus::analysis {

inline constexpr const char* kLimitAlertName = "SensusLimitForecast";

/// "Disk full in three days": of the series of rules with a limit, an alert fires while the forecast reaches it within the rule's time, by the
/// path of every alert. It ends when the limit is not reached within a quarter more than that, when its rule or series is gone, or when
/// nothing came of the series for a day. What fires is read from the stored alerts, so a restart, or another replica, goes on with it.
/// **Threading**: reactor. **Lifetime**: `stop`, wait for `run` to end, destroy.
/// **Errors/limits**: the first kSeriesMax series of a rule, in the order of their ids, further ones are counted; what cannot be forecast now
/// keeps its alert as it is until the next look, in kLookEvery.
class LimitWatch {
 public:
  static constexpr std::size_t kSeriesMax = 200;
  static constexpr std::chrono::minutes kLookEvery{10};

  struct Deps {
    storage::SampleStore& samples;
    storage::AlertStore& alerts;
    std::function<runtime::Async<std::vector<model::SeriesForecast>>(Deadline, TenantId, model::ForecastQuery)> forecast;
    /// The path of every alert.
    std::function<runtime::Async<std::vector<storage::AlertOutcome>>(Deadline, TenantId, model::AlertBatch)> accept;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    std::function<bool()> holds = {};  ///< Is it this replica that analyses? Empty: yes.
  };
  LimitWatch(Deps deps, Rules rules);
  ~LimitWatch();
  LimitWatch(const LimitWatch&) = delete;
  LimitWatch& operator=(const LimitWatch&) = delete;

  [[nodiscard]] runtime::Task run();
  [[nodiscard]] runtime::Async<> look();
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
