#pragma once

#include "sensus/runtime/async.hpp"
#include "sensus/telemetry/log.hpp"

#include <functional>
#include <memory>
#include <string>

namespace sensus::runtime {

/// Background coroutines with a name, an owner and a stop. **Threading**: reactor only. **Lifetime**: outlives its children; call
/// `stop` before destruction. A child that ends with an exception other than cancellation is logged and reported to `on_failure`.
class TaskGroup {
 public:
  TaskGroup(Executor executor, telemetry::Log log, std::function<void(std::string name, std::string what)> on_failure = {});
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void spawn(std::string name, Task task);
  [[nodiscard]] std::size_t size() const;
  /// Waits up to `grace` for the children to end by themselves (their owners asked them to), then cancels them (every pending
  /// await throws operation_aborted) and waits again. `timeout` when some are left.
  [[nodiscard]] Async<> stop(Duration grace);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::runtime
