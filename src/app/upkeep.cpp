#include "application_internal.hpp"

#include "systemd_internal.hpp"

namespace sensus::app {
namespace {

using runtime::Async;
using runtime::Task;

/// Partitions are made days ahead; the interval is that of the look into the default partition, which is cheap.
constexpr Duration kPartitionInterval = std::chrono::seconds{15};
constexpr Duration kLagInterval = std::chrono::milliseconds{500};

}  // namespace

Async<> Application::make_partitions() {
  const auto past = std::chrono::ceil<std::chrono::hours>(config_.limits.past_window);
  const auto ahead = std::chrono::ceil<std::chrono::hours>(config_.service.partitions_ahead);
  auto report = co_await maintenance_->make_partitions(Deadline::after(30s), past, ahead);
  if (!report) {
    partition_failures_.inc();
    co_return std::move(report).error();
  }
  partitions_ = *report;
  default_partition_rows_.set(static_cast<double>(partitions_.default_rows));
  if (partitions_.created > 0) {
    log_.info("made partitions", {{"count", partitions_.created}});
  }
  if (partitions_.default_rows > 0) {
    log_.throttled(telemetry::LogLevel::error, "default_partition",
                   "rows lie in the default partition, where reads are slow and retention cannot drop them: look for samples outside of "
                   "the accepted time window and for failed partition upkeep",
                   {{"rows", partitions_.default_rows}});
  }
  co_return Result<>{};
}

Task Application::keep_partitions() {
  while (true) {  // The first time was at start.
    const Result<> slept = co_await runtime::sleep(kPartitionInterval);
    if (!slept) {
      co_return;
    }
    const Result<> made = co_await make_partitions();
    if (!made) {
      log_.throttled(telemetry::LogLevel::error, "partitions", "cannot make partitions ahead; trying again soon",
                     {{"error", made.error().message}});
    }
  }
}

Task Application::measure_loop_lag() {
  while (true) {
    const auto due = clock_.steady_now() + kLagInterval;
    const Result<> slept = co_await runtime::sleep(kLagInterval);
    if (!slept) {
      co_return;
    }
    loop_lag_.observe(std::chrono::duration<double>(clock_.steady_now() - due).count());
  }
}

/// Runs on the reactor, so the service manager hears of a blocked one by silence.
Task Application::feed_watchdog(Duration interval) {
  while (true) {
    notify_watchdog();
    const Result<> slept = co_await runtime::sleep(interval);
    if (!slept) {
      co_return;
    }
  }
}

}  // namespace sensus::app
