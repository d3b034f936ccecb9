#pragma once

#include "sensus/core/clock.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/storage/leases.hpp"
#include "sensus/telemetry/health.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace sensus::analysis {

/// Which replica analyses: the one that holds a lease in PostgreSQL. The others stand by, and one of them takes over when the lease is given
/// up or not renewed. **Threading**: reactor. **Lifetime**: `resign`, wait for `run` to end, destroy.
/// **Errors/limits**: a lease that cannot be renewed (PostgreSQL away, this process stopped) is held to have ended a sixth of its length before
/// another replica may take it; `holds` tells so without waiting. Whoever holds it again in the same term goes on with what is in memory.
class Ownership {
 public:
  struct Deps {
    storage::LeaseStore& leases;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    std::string holder;  ///< Names this process; differs from every other, and from the process before on the same host.
    std::chrono::milliseconds length{12'000};
    /// Forgets all detectors: others have gone on with the series meanwhile.
    std::function<runtime::Async<>(Deadline)> forget;
    /// Begins or goes on reading steps.
    std::function<void()> begin;
    /// Ends reading them, and saves what is in memory; on an error the rest is replayed by the successor.
    std::function<runtime::Async<>(Deadline)> hand_over;
  };
  explicit Ownership(Deps deps);
  ~Ownership();
  Ownership(const Ownership&) = delete;
  Ownership& operator=(const Ownership&) = delete;

  /// Ends after `resign`, when the lease is given up.
  [[nodiscard]] runtime::Task run();
  /// Hands over: no step is read any more, states are saved, then the lease ends.
  void resign();
  /// Until `run` has ended; `timeout` when that does not come about.
  [[nodiscard]] runtime::Async<> wait_resigned(Deadline deadline);
  [[nodiscard]] bool holds() const;
  /// Of this replica: that it analyses or stands by is no trouble, that it cannot tell is.
  [[nodiscard]] telemetry::HealthReport health() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
