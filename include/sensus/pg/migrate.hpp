#pragma once

#include "sensus/pg/options.hpp"
#include "sensus/telemetry/log.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::pg {

struct Migration {
  int version = 0;        ///< Ascending; a number may be left out.
  std::string_view name;  ///< "initial_schema"
  std::string_view sql;
};

/// The version that these lead to; 0 without any.
[[nodiscard]] int head_of(const std::vector<Migration>& migrations);

/// Applies what is missing, each in its own transaction, under one advisory lock (replicas wait for each other), as role
/// sensus_owner, and records version, name, checksum and time in sensus.schema_migrations. Returns the version reached.
/// **Errors**: `conflict` when the database has one that this binary does not know, or an applied migration was changed. Blocks.
[[nodiscard]] Result<int> migrate_blocking(const Options& options, const std::vector<Migration>& migrations,
                                           const telemetry::Log& log);

/// The version in the database as the app role sees it; `conflict` when it is not exactly `expected`. Blocks.
[[nodiscard]] Result<> check_schema_blocking(const Options& options, int expected);

}  // namespace sensus::pg
