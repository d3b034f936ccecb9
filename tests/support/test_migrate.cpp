// Migrates the database that the only argument, a connection string of a superuser, names. Used by services.sh.
#include "sensus/pg/migrate.hpp"
#include "sensus/storage/maintenance.hpp"

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: sensus_test_migrate CONNECTION_STRING\n");
    return 2;
  }
  sensus::pg::Options options;
  options.url = argv[1];
  options.migration_url = argv[1];
  const auto version = sensus::pg::migrate_blocking(options, sensus::storage::migrations(), sensus::telemetry::Log());
  if (!version) {
    std::fprintf(stderr, "migration failed: %s\n", version.error().message.c_str());
    return 1;
  }
  return 0;
}
