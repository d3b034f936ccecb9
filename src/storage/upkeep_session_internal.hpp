#pragma once

#include "sensus/pg/bulk_session.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

namespace sensus::storage {

/// The thread and the PostgreSQL session of upkeep: compaction, retention, removal of series, one statement after the other.
/// **Threading**: reactor; `stop_blocking` before it ends.
class UpkeepSession {
 public:
  UpkeepSession(runtime::Executor executor, pg::Options database, std::chrono::milliseconds statement_limit, const telemetry::Log& log,
                telemetry::Metrics& metrics)
      : limit_(statement_limit),
        session_(with_limit(std::move(database), statement_limit), log, metrics),
        pool_(std::move(executor), runtime::BlockingPoolOptions{"compaction", 1, 4}, metrics) {}

  /// Runs `job` in a transaction of its own, perhaps more than once.
  template <class T>
  runtime::Async<T> run(std::function<T(pg::Tx&)> job) {
    const Deadline deadline = Deadline::after(limit_);
    std::function<Result<T>(runtime::JobContext&)> blocking = [this, deadline,
                                                               job = std::move(job)](runtime::JobContext& context) -> Result<T> {
      context.on_cancel([this] { session_.cancel(); });
      std::optional<T> out;
      const pg::BulkSession::Job in_transaction = [&out, &job](pg::BulkTx& tx) -> Result<> {
        out.emplace(job(tx));
        return {};
      };
      SENSUS_TRY_VOID(session_.write_blocking(deadline, in_transaction));
      return std::move(*out);
    };
    auto result = co_await pool_.submit<T>(deadline, std::move(blocking));
    co_return result;
  }

  void stop_blocking() {
    session_.cancel();
    pool_.stop_blocking();
  }

 private:
  static pg::Options with_limit(pg::Options options, std::chrono::milliseconds limit) {
    options.statement_timeout = limit;
    return options;
  }

  std::chrono::milliseconds limit_;
  pg::BulkSession session_;
  runtime::BlockingPool pool_;
};

}  // namespace sensus::storage
