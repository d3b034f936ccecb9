#pragma once

#include "sensus/pg/options.hpp"
#include "sensus/pg/tx.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/telemetry/health.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace sensus::pg {

enum class Access { read_write, read_only };

/// A fixed number of PostgreSQL sessions, each on its own thread: no check-out pool, the bound is the thread count.
/// **Threading**: reactor. **Lifetime**: jobs take inputs by value; `close_blocking` before destruction.
/// **Errors**: SQL failures are classified once, by SQLSTATE: invalid_input (22xxx, 23514), already_exists (23505), timeout (57014,
/// 55P03), unavailable (08xxx, 57Pxx, 53xxx, 25006, 28xxx; the session is dropped and reopened with back-off), in_doubt (lost
/// during COMMIT), internal (42xxx). 40001 and 40P01 are retried at most 3 times with jitter. A session lost before anything took
/// effect is replaced and the transaction retried once.
class Database {
 public:
  Database(runtime::Executor reactor, Options options, telemetry::Log log, telemetry::Metrics& metrics);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// Runs `job` in one transaction: committed when it returns a value, rolled back when it returns an error or throws. The statement
  /// timeout is the smaller of the option and what is left of the deadline. The job may run more than once.
  template <class T>
  runtime::Async<T> transact(Deadline deadline, Access access, std::function<Result<T>(Tx&)> job) {
    auto out = std::make_shared<std::optional<Result<T>>>();
    std::function<Result<>(Tx&)> erased = [out, job = std::move(job)](Tx& tx) -> Result<> {
      out->emplace(job(tx));
      if (!**out) {
        return (*out)->error();
      }
      return {};
    };
    Result<> ran = co_await transact_erased(deadline, access, std::move(erased));
    if (!ran) {
      co_return std::move(ran).error();
    }
    co_return std::move(**out);
  }

  [[nodiscard]] runtime::Async<> ping(Deadline deadline);
  /// What the last attempts showed; never waits. For the health registry.
  [[nodiscard]] telemetry::HealthReport health() const;
  [[nodiscard]] std::size_t open_sessions() const;
  void close_blocking();

 private:
  runtime::Async<> transact_erased(Deadline deadline, Access access, std::function<Result<>(Tx&)> job);
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::pg
