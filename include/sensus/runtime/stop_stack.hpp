#pragma once

#include "sensus/runtime/async.hpp"
#include "sensus/telemetry/log.hpp"

#include <functional>
#include <string>
#include <vector>

namespace sensus::runtime {

/// Teardown, registered where things are started and run in reverse. A failing or slow step does not stop the rest; each step is
/// logged with its duration. **Threading**: reactor only. Idempotent.
class StopStack {
 public:
  using Step = std::function<Async<>(Deadline)>;
  explicit StopStack(telemetry::Log log) : log_(std::move(log)) {}
  void push(std::string name, Step step);
  /// For a step that does not wait.
  void push_now(std::string name, std::function<void()> step);
  /// The first error, after all steps ran. Steps get what is left of the deadline.
  [[nodiscard]] Async<> unwind(Deadline deadline);

 private:
  struct Entry {
    std::string name;
    Step step;
  };
  telemetry::Log log_;
  std::vector<Entry> entries_;
};

}  // namespace sensus::runtime
