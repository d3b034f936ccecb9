#pragma once

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"
#include "sensus/pg/options.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::storage {

struct StorageStats {
  struct Table {
    std::string name;
    std::int64_t partitions = 0;
    std::int64_t bytes = 0;
    std::int64_t rows = 0;  ///< As the planner knows it.
  };
  /// Of sample_batches or sample_chunks.
  struct Samples {
    std::int64_t samples = 0;  ///< From a part of the rows of large partitions.
    std::int64_t bytes = 0;    ///< Of partitions that hold any.
  };
  std::vector<Table> tables;
  Samples batches;
  Samples chunks;
  std::int64_t series = 0;
  std::int64_t backlog_buckets = 0;
  std::int64_t backlog_batches = 0;
  std::int64_t default_rows = 0;
  std::optional<Timestamp> oldest_day;  ///< That has samples.
  std::optional<Timestamp> newest;      ///< Sample of a day that is compacted, or the day that is not.
};

struct CompactionProgress {
  std::int64_t buckets = 0;
  std::int64_t buckets_total = 0;
  std::int64_t samples = 0;
  std::int64_t days_emptied = 0;
  std::int64_t days_deferred = 0;  ///< Samples came meanwhile, or an older statement reads: a later run ends them.
  bool busy = false;               ///< A daemon is at it: nothing more was done.
};

struct VerifyProgress {
  std::int64_t pages = 0;
  std::int64_t pages_total = 0;
  std::int64_t rows = 0;
  std::int64_t samples = 0;
  std::int64_t bad_rows = 0;
  std::vector<std::string> problems;  ///< The first thousand.
};

/// What an operator asks of storage beside the running daemon, on one session of its own. Blocks; one thread. **Errors**: as pg::Database.
class StorageTool {
 public:
  StorageTool(pg::Options options, const telemetry::Log& log, telemetry::Metrics& metrics);
  ~StorageTool();
  StorageTool(const StorageTool&) = delete;
  StorageTool& operator=(const StorageTool&) = delete;

  /// `until`: days that end by then wait to be compacted.
  [[nodiscard]] Result<StorageStats> stats_blocking(Timestamp until);
  /// Compacts all that waits, a step after the other, without a rest; `progress` after each.
  [[nodiscard]] Result<CompactionProgress> compact_blocking(Timestamp until, const std::function<void(const CompactionProgress&)>& progress);
  /// Reads every row of samples and rollups back; `progress` after some pages.
  [[nodiscard]] Result<VerifyProgress> verify_blocking(const std::function<void(const VerifyProgress&)>& progress);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sensus::storage
