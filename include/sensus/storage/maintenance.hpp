#pragma once

#include "sensus/pg/database.hpp"
#include "sensus/pg/migrate.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace sensus::storage {

/// The embedded migrations/NNNN_name.sql, in order.
[[nodiscard]] const std::vector<pg::Migration>& migrations();

/// Partitions of sample_batches. The daemon's role has no DDL: a SECURITY DEFINER function of the owner makes them.
class Maintenance {
 public:
  virtual ~Maintenance() = default;
  struct PartitionReport {
    std::int64_t created = 0;
    std::int64_t default_rows = 0;  ///< Rows in the default partition: more than none is an alarm.
  };
  /// Makes missing partitions from `past` ago to `ahead` from now.
  [[nodiscard]] virtual runtime::Async<PartitionReport> make_partitions(Deadline deadline, std::chrono::hours past, std::chrono::hours ahead) = 0;
};
[[nodiscard]] std::unique_ptr<Maintenance> make_maintenance(pg::Database& database);

}  // namespace sensus::storage
