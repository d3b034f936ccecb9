#pragma once

#include "sensus/core/secret.hpp"
#include "sensus/core/time.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace sensus::config {
class Section;
}

namespace sensus::pg {

/// How to reach PostgreSQL. `url` is a libpq connection string or URL.
struct Options {
  std::string url = "host=/run/postgresql dbname=sensus user=sensus_app";
  std::string migration_url;  ///< Connects as a member of sensus_owner; empty = the schema is migrated by somebody else.
  Secret password;            ///< Added to both when set.
  std::string password_file;  ///< Where it came from: read again for every session, so that it may be changed.
  std::int64_t sessions = 4;
  std::int64_t queue_limit = 512;
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds statement_timeout{5000};
  std::chrono::milliseconds session_lifetime{3'600'000};
};

void describe(config::Section& section, Options& options);

}  // namespace sensus::pg
