#include "sensus/pg/options.hpp"

#include "pg/conninfo_internal.hpp"

#include "sensus/config/section.hpp"

namespace sensus::pg {

namespace {

Result<> check_url(std::string_view text) {
  if (const Result<> readable = check_conninfo(std::string(text)); !readable) {
    return make_error(Errc::invalid_input, readable.error().message + "; write postgresql://sensus_app@localhost:5432/sensus or "
                                                                      "host=localhost dbname=sensus user=sensus_app");
  }
  return {};
}

}  // namespace

void describe(config::Section& section, Options& options) {
  section
      .string("url", options.url,
              "libpq connection string or postgresql:// URL of the daemon's role, sensus_app. "
              "Extra libpq keys are allowed "
              "(sslmode, several hosts). Through PgBouncer use session pooling.")
      .checked(check_url)
      .string("migration_url", options.migration_url,
              "Connection of a member of sensus_owner, used at start to migrate the schema. Empty: "
              "somebody else migrates it, and "
              "the daemon only checks the version.")
      .checked(check_url)
      .secret("password", options.password,
              "Password for both connections; wins over one in the URL. The file is read again for every new session.",
              &options.password_file)
      .integer(
          "sessions", options.sessions, 1, 64,
          "PostgreSQL sessions, each on a thread of its own. The writer of samples has one more.")
      .integer(
          "queue_limit", options.queue_limit, 1, 100'000,
          "Transactions that may wait for a session. Past it requests are answered 503 at once.")
      .duration("connect_timeout", options.connect_timeout, 2s, 60s,
                "Time to open a session, in whole seconds.")
      .duration("statement_timeout", options.statement_timeout, 100ms, 600s,
                "Longest time of one statement; a request's own deadline may make it shorter.")
      .duration("session_lifetime", options.session_lifetime, 10s, 24h,
                "A session is replaced when it gets this old, so that failovers and changed "
                "settings are picked up.");
}

}  // namespace sensus::pg
