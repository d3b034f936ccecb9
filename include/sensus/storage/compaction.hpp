#pragma once

#include "sensus/core/clock.hpp"
#include "sensus/core/ids.hpp"
#include "sensus/core/result.hpp"
#include "sensus/pg/options.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::storage {

struct CompactionOptions {
  bool enabled = true;
  std::chrono::milliseconds interval{600'000};
  std::chrono::milliseconds closed_after{2 * 3'600'000};  ///< After its end, in UTC.
  std::chrono::milliseconds step_timeout{1'800'000};
};
void describe(config::Section& section, CompactionOptions& options);

/// What a tenant keeps for another time than the others.
struct TenantRetention {
  TenantId tenant = 0;
  std::optional<std::chrono::milliseconds> raw;
  std::optional<std::chrono::milliseconds> rollup_5m;
  std::optional<std::chrono::milliseconds> rollup_1h;
};
/// Reads "7 raw=14d rollup_5m=90d rollup_1h=365d", any of the three.
[[nodiscard]] Result<TenantRetention> parse_tenant_retention(std::string_view text);

struct RetentionOptions {
  std::chrono::milliseconds raw{30LL * 24 * 3'600'000};
  std::chrono::milliseconds rollup_5m{180LL * 24 * 3'600'000};
  std::chrono::milliseconds rollup_1h{730LL * 24 * 3'600'000};
  std::chrono::milliseconds quarantine{90LL * 24 * 3'600'000};
  std::chrono::milliseconds dead_letters{90LL * 24 * 3'600'000};
  std::vector<std::string> tenants{};  ///< Each as parse_tenant_retention reads it; a tenant once.
};
void describe(config::Section& section, RetentionOptions& options);

/// Makes chunks of the batch rows of closed days, a bucket of a day at a time, and empties days
/// that are done; drops what is older than retention says. What is done is in the database: a run
/// that ends anywhere is taken up by the next, of any replica; one replica at a time works.
/// **Threading**: reactor; the statements run on a thread and a session of its own, so that they
/// take none from requests.
class Compactor {
 public:
  struct Deps {
    runtime::Executor executor;
    pg::Options database;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
  };
  /// `retention.raw` must not be shorter than the window in which samples are accepted.
  Compactor(Deps deps, CompactionOptions options, RetentionOptions retention);
  ~Compactor();
  Compactor(const Compactor&) = delete;
  Compactor& operator=(const Compactor&) = delete;

  struct Report {
    std::int64_t buckets = 0;       ///< Steps done.
    std::int64_t samples = 0;       ///< In the chunks that were written.
    std::int64_t days_emptied = 0;  ///< Days whose batch rows are gone.
    bool busy = false;              ///< Another replica is at it: this run ended early.
  };
  /// All that is to do now, at full speed.
  [[nodiscard]] runtime::Async<Report> run_once();
  struct Retained {
    std::int64_t partitions_dropped = 0;
    std::int64_t tenant_rows_deleted = 0;  ///< Of tenants that keep for a shorter time than others.
    std::int64_t stray_rows_deleted = 0;   ///< Of the default partition.
    std::int64_t quarantine_deleted = 0;
    std::int64_t dead_letters_deleted = 0;
  };
  /// Deletes all that is past its retention and drains the default partition.
  [[nodiscard]] runtime::Async<Retained> apply_retention();
  /// Removes every series of which no sample is kept and which nobody writes; returns how many.
  [[nodiscard]] runtime::Async<std::int64_t> remove_idle_series();
  /// All of it every interval, resting after each step as long as it took, until cancelled.
  [[nodiscard]] runtime::Task run();
  /// Cuts the step that runs and ends the thread. Before the reactor ends.
  void stop_blocking();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::storage
