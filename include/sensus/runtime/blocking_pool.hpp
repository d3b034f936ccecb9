#pragma once

#include "sensus/runtime/async.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace sensus::runtime {

/// What a running job may know: which worker runs it (for thread-affine state such as a session), and where to put a hook
/// that cuts it short when its deadline passes. The hook is called from another thread, at most once.
class JobContext {
 public:
  explicit JobContext(std::size_t worker) : worker_(worker) {}
  virtual ~JobContext() = default;
  [[nodiscard]] std::size_t worker() const { return worker_; }
  virtual void on_cancel(std::function<void()> hook) = 0;
  [[nodiscard]] virtual Deadline deadline() const = 0;

 private:
  std::size_t worker_;
};

struct BlockingPoolOptions {
  std::string name;  ///< Thread name prefix and metric label `pool`.
  std::size_t threads = 1;
  std::size_t queue_limit = 256;
  int nice = 0;  ///< Above 0 the threads yield the processors to others, as nice(1) has it.
};

/// A bulkhead: threads for blocking calls behind an awaitable. **Threading**: submit from the reactor; jobs run on pool threads and
/// take their inputs by value (the waiter may be gone). **Errors**: `overloaded` at once when the queue is full; `timeout` when the
/// deadline passes, queued (job removed) or running (cancel hook called, late result dropped and counted); `cancelled` after
/// `stop`. Exceptions of a job become `internal`. Results are posted to the reactor, never resumed on a worker.
class BlockingPool {
 public:
  BlockingPool(Executor reactor, BlockingPoolOptions options, telemetry::Metrics& metrics);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  template <class T>
  Async<T> submit(Deadline deadline, std::function<Result<T>(JobContext&)> job) {
    auto result = std::make_shared<std::optional<Result<T>>>();
    std::function<void(JobContext&)> erased = [result, job = std::move(job)](JobContext& context) {
      result->emplace(job(context));
    };
    Result<> ran = co_await submit_erased(deadline, std::move(erased));
    if (!ran) {
      co_return std::move(ran).error();
    }
    co_return std::move(**result);
  }

  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::size_t running() const;
  [[nodiscard]] std::size_t threads() const;
  /// Refuses new jobs, cancels queued ones, lets running ones finish, joins. Blocks.
  void stop_blocking();

 private:
  Async<> submit_erased(Deadline deadline, std::function<void(JobContext&)> job);
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::runtime
