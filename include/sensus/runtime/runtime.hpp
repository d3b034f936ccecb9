#pragma once

#include "sensus/runtime/async.hpp"

#include <memory>

namespace sensus::runtime {

/// Owns the one io_context, the reactor. All domain code runs on the thread that calls `run`: no locks, no strands there.
class Runtime {
 public:
  Runtime();
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  [[nodiscard]] Executor executor();
  /// Returns after `stop`, or when no work is left.
  void run();
  /// Any thread.
  void stop();
  /// Runs one coroutine to completion on the calling thread and returns. Exceptions propagate. For tests and start-up.
  void run_until_done(Task task);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sensus::runtime
