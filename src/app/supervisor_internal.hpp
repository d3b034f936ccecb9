#pragma once

#include "child_process_internal.hpp"

#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::app {

struct ServiceSpec {
  std::string name;  ///< Component of its log lines, label `service` of its metrics.
  ChildSpec child;
  int stop_signal = 15;
  int hard_stop_signal = 9;  ///< When it did not end within half of the time it had.
  std::function<bool(pid_t)> ready;
  /// At which level a line of its output is logged.
  std::function<telemetry::LogLevel(std::string_view line)> level_of;
};

/// Keeps child servers running: starts them, forwards their output to the log, starts them again with back-off (200 ms to 10 s) when
/// they die, stops them all at the end. **Threading**: one thread of its own, on which all children are started (they end with it);
/// the methods may be called from any one thread. **Lifetime**: `metrics` outlives it; the destructor stops.
class Supervisor {
 public:
  Supervisor(std::vector<ServiceSpec> services, telemetry::Log log, telemetry::Metrics& metrics);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// True when every service said it is ready before the deadline.
  [[nodiscard]] bool wait_ready_blocking(Deadline deadline);
  /// False when something had to be killed.
  bool stop_blocking(Deadline deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Ends a server that an earlier run left behind: `stop_signal`, after half of the time `hard_stop_signal`. `timeout` when it stays.
[[nodiscard]] Result<> stop_stale_blocking(Deadline deadline, pid_t pid, const std::filesystem::path& directory, int stop_signal,
                                           int hard_stop_signal);

}  // namespace sensus::app
