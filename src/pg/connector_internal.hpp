#pragma once

#include "pg/session_internal.hpp"
#include "pg/sqlstate_internal.hpp"
#include "sensus/runtime/backoff.hpp"

#include <functional>
#include <mutex>
#include <string>

namespace sensus::pg {

/// Opens sessions for all threads of a Database and keeps a dead server from being hammered: after
/// a failure nobody tries again before a shared back-off has passed, and then one thread at a time.
/// **Threading**: any thread.
class Connector {
 public:
  /// `conninfo` is asked for each session: a password may have changed.
  Connector(std::function<std::string()> conninfo, telemetry::Log log);

  /// **Errors**: unavailable, at once while backing off.
  [[nodiscard]] Result<std::unique_ptr<Session>> open_blocking();
  /// Why the latest attempt that really asked the server failed.
  [[nodiscard]] Verdict last_failure() const;

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] Result<> claim_attempt();
  void note_success();
  [[nodiscard]] Error note_failure(const SqlFailure& failure);

  const std::function<std::string()> conninfo_;
  telemetry::Log log_;
  mutable std::mutex mutex_;
  runtime::Backoff backoff_;
  Verdict last_failure_ = classify("08001");
  bool failing_ = false;
  bool probing_ = false;
  Clock::time_point not_before_{};
};

}  // namespace sensus::pg
