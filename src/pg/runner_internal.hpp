#pragma once

#include "pg/connector_internal.hpp"
#include "pg/pg_metrics_internal.hpp"
#include "sensus/runtime/blocking_pool.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <random>

namespace sensus::pg {

/// What one worker thread has: its session, and how another thread cuts it. **Threading**: the
/// worker's, but for `cut`.
class SessionSlot {
 public:
  /// Any thread, never waits: the running statement fails as if the network had. A job that is over
  /// must not be cut.
  void cut();
  [[nodiscard]] bool was_cut();  ///< Since the job began.
  void begin_job();
  void install(std::unique_ptr<Session> session);
  void drop();
  [[nodiscard]] Session* session() const { return session_.get(); }

 private:
  std::unique_ptr<Session> session_;
  std::mutex mutex_;
  int socket_ = -1;
  bool cut_ = false;
};

/// What the last attempts showed about the server, for the health registry. **Threading**: any
/// thread.
class Reachability {
 public:
  void note_up();
  void note_down(std::string reason);
  [[nodiscard]] telemetry::HealthReport report() const;

 private:
  mutable std::mutex mutex_;
  bool known_ = false;
  bool up_ = false;
  std::string reason_;
};

/// Runs transactions on worker threads: retries, classification, metrics. **Lifetime**: outlives
/// its pool.
class Runner {
 public:
  using Job = std::function<Result<>(Tx&)>;
  Runner(const Options& options, std::function<std::string()> conninfo, telemetry::Log log,
         telemetry::Metrics& metrics);

  [[nodiscard]] Result<> run_blocking(runtime::JobContext& context, Access access, const Job& job);
  /// Closes the worker's session; on its thread, or after the threads ended.
  void close(std::size_t worker);
  [[nodiscard]] std::size_t open_sessions() const { return open_.load(); }
  [[nodiscard]] const Reachability& reachability() const { return reachability_; }

 private:
  struct Attempt {
    Result<> result;
    Verdict verdict;
    bool failed = false;
  };
  struct Budget {
    int conflicts = 3;
    int sessions = 1;
    int plans = 1;
  };

  [[nodiscard]] Result<> ensure_session(SessionSlot& slot);
  [[nodiscard]] Attempt attempt(SessionSlot& slot, Access access, Deadline deadline, const Job& job);
  [[nodiscard]] Attempt fail(const SqlFailure& failure, bool committing, bool cut);
  /// True when the transaction is worth another attempt, which then has been prepared.
  [[nodiscard]] bool may_run_again(const Attempt& attempt, SessionSlot& slot, Budget& budget);
  void count(const Attempt& attempt);
  void drop(SessionSlot& slot);
  [[nodiscard]] std::chrono::milliseconds statement_limit(Deadline deadline) const;

  const Options options_;
  telemetry::Log log_;
  PgMetrics metrics_;
  Connector connector_;
  Reachability reachability_;
  std::vector<std::unique_ptr<SessionSlot>> slots_;
  std::atomic<std::size_t> open_{0};
};

}  // namespace sensus::pg
