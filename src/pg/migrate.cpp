#include "sensus/pg/migrate.hpp"

#include "pg/bootstrap_internal.hpp"
#include "pg/conninfo_internal.hpp"
#include "pg/session_internal.hpp"
#include "pg/sqlstate_internal.hpp"

#include <algorithm>
#include <map>

namespace sensus::pg {
namespace {

/// Any constant will do; it must never change, or two versions of the daemon could migrate at once.
constexpr std::string_view kLock = "select pg_advisory_lock(6072340120)";

struct Applied {
  std::string name;
  std::string checksum;
};

std::string checksum_of(Session& session, const Migration& migration) {
  const Rows rows = session.exec("select encode(sha256(convert_to($1, 'UTF8')), 'hex')",
                                 Params().text(migration.sql));
  return std::string(rows.text(0, 0));
}

std::map<int, Applied> load_applied(Session& session) {
  std::map<int, Applied> applied;
  const Rows rows = session.exec("select version, name, checksum from sensus.schema_migrations");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    applied[static_cast<int>(rows.integer(i, 0))] = {std::string(rows.text(i, 1)),
                                                     std::string(rows.text(i, 2))};
  }
  return applied;
}

Error newer_schema(int found, int known) {
  return make_error(Errc::conflict,
                    "the database has schema version " + std::to_string(found) +
                        ", this program knows " + std::to_string(known) +
                        ": start the newer program, or restore a backup of version " +
                        std::to_string(known));
}

Result<> check_history(Session& session, const std::map<int, Applied>& applied,
                       const std::vector<Migration>& migrations) {
  const auto known = [&migrations](int version) {
    return std::any_of(migrations.begin(), migrations.end(),
                       [version](const Migration& migration) { return migration.version == version; });
  };
  for (const auto& [version, row] : applied) {
    if (!known(version)) {
      return newer_schema(version, head_of(migrations));
    }
  }
  for (const Migration& migration : migrations) {
    const auto found = applied.find(migration.version);
    if (found != applied.end() && found->second.checksum != checksum_of(session, migration)) {
      return make_error(
          Errc::conflict,
          "migration " + std::to_string(migration.version) + " (" + found->second.name +
              ") was applied with other content than this program has; use the program of the "
              "release that made this database");
    }
  }
  return {};
}

void apply(Session& session, const Migration& migration) {
  session.exec_script(
      "begin; set local role sensus_owner; set local search_path = sensus, public;\n" +
      std::string(migration.sql));
  (void)session.exec(
      "insert into sensus.schema_migrations (version, name, checksum) values ($1::int, $2, $3)",
      Params()
          .integer(migration.version)
          .text(migration.name)
          .text(checksum_of(session, migration)));
  session.commit();
}

/// Of a database that a newer program migrated nothing may be changed, roles and grants included: so the versions are looked at first,
/// where there are any and this role may see them. A role that may not is told so by the bootstrap.
std::map<int, Applied> peek_applied(Session& session) {
  const Rows rows = session.exec(
      "select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'sensus' and "
      "c.relname = 'schema_migrations' and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select'))");
  return rows.boolean(0, 0) ? load_applied(session) : std::map<int, Applied>();
}

Result<int> migrate(Session& session, const std::vector<Migration>& migrations,
                    const telemetry::Log& log) {
  session.exec_script("set statement_timeout = 0; set lock_timeout = '60s'");
  session.exec_script(std::string(kLock));
  SENSUS_TRY_VOID(check_history(session, peek_applied(session), migrations));
  session.exec_script("begin; " + std::string(kBootstrapSql) + "; commit");
  const auto applied = load_applied(session);
  SENSUS_TRY_VOID(check_history(session, applied, migrations));
  for (const Migration& migration : migrations) {
    if (!applied.contains(migration.version)) {
      apply(session, migration);
      log.info("schema migrated", {{"version", migration.version}, {"name", migration.name}});
    }
  }
  return head_of(migrations);
}

Error describe_failure(const SqlFailure& failure, std::string_view doing) {
  const Verdict verdict = classify(failure.sqlstate());
  const Errc code = failure.lost() ? Errc::unavailable : verdict.code;
  return make_error(code, std::string(doing) + ": " + failure.what());
}

}  // namespace

int head_of(const std::vector<Migration>& migrations) {
  return migrations.empty() ? 0 : migrations.back().version;
}

Result<int> migrate_blocking(const Options& options, const std::vector<Migration>& migrations,
                             const telemetry::Log& log) {
  if (options.migration_url.empty()) {
    return make_error(Errc::invalid_input,
                      "database.migration_url is empty: nothing may be migrated",
                      "database.migration_url");
  }
  SENSUS_TRY(const std::string conninfo,
             make_conninfo(options.migration_url, options, "sensus migrate"));
  try {
    Session session(conninfo);
    return migrate(session, migrations, log);
  } catch (const SqlFailure& e) {
    return describe_failure(e, "migrating the schema");
  }
}

Result<> check_schema_blocking(const Options& options, int expected) {
  SENSUS_TRY(const std::string conninfo, make_conninfo(options.url, options, "sensus"));
  try {
    Session session(conninfo);
    const Rows rows =
        session.exec("select coalesce(max(version), 0) from sensus.schema_migrations");
    const int found = static_cast<int>(rows.integer(0, 0));
    if (found > expected) {
      return newer_schema(found, expected);
    }
    if (found < expected) {
      return make_error(Errc::conflict, "the database has schema version " + std::to_string(found) +
                                            ", this program needs " + std::to_string(expected) +
                                            ": set database.migration_url so that it migrates");
    }
    return {};
  } catch (const SqlFailure& e) {
    if (e.sqlstate().starts_with("42") || e.sqlstate() == "3F000") {
      return make_error(Errc::conflict,
                        "the database has no schema for Sensus, or the role may not see it: set "
                        "database.migration_url so that this program migrates it");
    }
    return describe_failure(e, "reading the schema's version");
  }
}

}  // namespace sensus::pg
