#include "sensus/runtime/stop_stack.hpp"

#include <exception>
#include <utility>

namespace sensus::runtime {
namespace {

Async<> run_step(StopStack::Step step, Deadline deadline) {
  try {
    co_return co_await step(deadline);
  } catch (const std::exception& e) {
    co_return make_error(Errc::internal, e.what());
  }
}

Async<> run_now(std::function<void()> step) {
  step();
  co_return Result<>{};
}

}  // namespace

void StopStack::push(std::string name, Step step) { entries_.push_back({std::move(name), std::move(step)}); }

void StopStack::push_now(std::string name, std::function<void()> step) {
  push(std::move(name), [step = std::move(step)](Deadline) { return run_now(step); });
}

Async<> StopStack::unwind(Deadline deadline) {
  Result<> first_error;
  while (!entries_.empty()) {
    Entry entry = std::move(entries_.back());
    entries_.pop_back();
    const auto began = std::chrono::steady_clock::now();
    const Result<> outcome = co_await run_step(std::move(entry.step), deadline);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
    if (outcome) {
      log_.info("stopped", {{"part", entry.name}, {"took_ms", took.count()}});
      continue;
    }
    log_.warning("stopping a part failed; going on with the rest",
                 {{"part", entry.name}, {"took_ms", took.count()}, {"error", outcome.error().message}});
    if (first_error) {
      first_error = outcome;
    }
  }
  co_return first_error;
}

}  // namespace sensus::runtime
