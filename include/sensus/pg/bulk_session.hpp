#pragma once

#include "sensus/core/deadline.hpp"
#include "sensus/pg/copy_buffer.hpp"
#include "sensus/pg/options.hpp"
#include "sensus/pg/tx.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace sensus::pg {

/// The transaction of a bulk write. Copies are sent in order, after the job returned, together with
/// COMMIT: a transaction of n copies and no `exec` costs n + 1 round trips.
class BulkTx : public Tx {
 public:
  /// `statement` is a literal "copy ... from stdin (format binary)". An empty buffer is left out.
  virtual void copy(std::string_view statement, CopyBuffer rows) = 0;
};

/// One session for bulk writes in binary COPY, opened lazily and reopened after a loss (with
/// back-off). **Threading**: one thread, but for `cancel`. **Errors**: as Database, among them the
/// retries; `timeout` at the deadline to the millisecond, also when the network hangs (the session
/// is then dropped); in_doubt when COMMIT was on its way.
class BulkSession {
 public:
  BulkSession(const Options& options, telemetry::Log log, telemetry::Metrics& metrics);
  ~BulkSession();
  BulkSession(const BulkSession&) = delete;
  BulkSession& operator=(const BulkSession&) = delete;

  using Job = std::function<Result<>(BulkTx&)>;
  /// Runs the job, perhaps more than once, and commits what it copied.
  [[nodiscard]] Result<> write_blocking(Deadline deadline, const Job& job);
  /// Any thread: a running write fails with `timeout` (or in_doubt).
  void cancel();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sensus::pg
