#pragma once

#include "sensus/storage/compaction.hpp"
#include "storage/upkeep_session_internal.hpp"

#include <string>
#include <vector>

namespace sensus::storage {

/// How long each tenant keeps each resolution. Element 0 is for all tenants without one of their own. Rollups are kept at least as long
/// as the samples that they stand for: reads take them for every day whose samples are all in chunks.
struct RetentionPlan {
  explicit RetentionPlan(const RetentionOptions& options);
  struct Befores {
    std::vector<Timestamp> raw;
    std::vector<Timestamp> rollup_5m;
    std::vector<Timestamp> rollup_1h;
  };
  [[nodiscard]] Befores befores(Timestamp now) const;

  std::vector<std::int64_t> tenants{0};
  std::vector<std::chrono::milliseconds> raw;
  std::vector<std::chrono::milliseconds> rollup_5m;
  std::vector<std::chrono::milliseconds> rollup_1h;
};

/// Deletes what is past its retention: rows of tenants that keep for a shorter time, then whole partitions, what lies in the default
/// partition, old rows of quarantine and dead letters. Small transactions; what is done is done when a later one fails.
class Retention {
 public:
  Retention(UpkeepSession& session, RetentionOptions options, const Clock& clock, telemetry::Log log, telemetry::Metrics& metrics);

  [[nodiscard]] runtime::Async<Compactor::Retained> apply();

 private:
  struct Instruments {
    explicit Instruments(telemetry::Metrics& m);
    telemetry::Counter dropped;
    telemetry::Counter sample_rows;
    telemetry::Counter quarantine_rows;
    telemetry::Counter dead_letter_rows;
    telemetry::Gauge last_success;
  };
  runtime::Async<> delete_rows_of_tenants(Timestamp now, Compactor::Retained& done);
  runtime::Async<> drop_partitions(Timestamp now, Compactor::Retained& done);
  runtime::Async<> drain_default(Timestamp now, Compactor::Retained& done);
  runtime::Async<> delete_old(std::string statement, Timestamp before, telemetry::Counter counter, std::int64_t& deleted);

  UpkeepSession& session_;
  RetentionOptions options_;
  RetentionPlan plan_;
  const Clock& clock_;
  telemetry::Log log_;
  Instruments metrics_;
};

}  // namespace sensus::storage
