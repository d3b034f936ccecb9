#include "embedded_internal.hpp"
#include "roles_sql_internal.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace sensus::app {
namespace {

namespace fs = std::filesystem;
using telemetry::LogLevel;

const fs::path kInstallations = "/usr/lib/postgresql";

std::string first_line(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

/// Of the version that made the cluster; for a new one 15, else the newest there is.
Result<fs::path> find_binaries(const fs::path& data) {
  const std::string made_by = first_line(data / "PG_VERSION");
  if (!made_by.empty()) {
    fs::path found = kInstallations / made_by / "bin";
    if (fs::exists(found / "postgres")) {
      return found;
    }
    return make_error(Errc::unavailable, "'" + data.string() + "' was made by PostgreSQL " + made_by + ", which is not installed: install "
                                         "postgresql-" + made_by);
  }
  if (fs::path preferred = kInstallations / "15/bin"; fs::exists(preferred / "initdb")) {
    return preferred;
  }
  int newest = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(kInstallations, error)) {
    if (fs::exists(entry.path() / "bin/initdb")) {
      newest = std::max(newest, std::atoi(entry.path().filename().c_str()));
    }
  }
  if (newest < 15) {
    return make_error(Errc::unavailable, "PostgreSQL 15 is not installed (nothing in " + kInstallations.string() +
                                             "): install postgresql-15");
  }
  return kInstallations / std::to_string(newest) / "bin";
}

ChildSpec as_server(const EmbeddedLayout& layout, std::vector<std::string> argv) {
  ChildSpec spec;
  spec.argv = std::move(argv);
  spec.directory = layout.postgres.string();
  spec.user = layout.user;
  spec.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + layout.postgres.string()};
  spec.death_signal = SIGINT;  // A fast shutdown.
  return spec;
}

/// The pid and, since PostgreSQL 10, the state ("starting", "ready", ...) that the postmaster keeps in its pid file.
struct PidFile {
  pid_t pid = 0;
  std::string state;
};

PidFile read_pid_file(const fs::path& data) {
  constexpr int kStateLine = 8;
  PidFile out;
  std::ifstream stream(data / "postmaster.pid");
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (number == 1) {
      out.pid = static_cast<pid_t>(std::atoi(line.c_str()));
    } else if (number == kStateLine) {
      out.state = line.substr(0, line.find(' '));
    }
  }
  return out;
}

/// Made beside its final place and renamed when complete, so that an interrupted first start leaves nothing half-made.
Result<> make_cluster(const EmbeddedLayout& layout, const fs::path& binaries, const telemetry::Log& log) {
  log.info("creating the embedded PostgreSQL cluster; this takes a few seconds", {{"directory", layout.postgres.string()}});
  const fs::path fresh = layout.postgres / "data.new";
  std::error_code error;
  fs::remove_all(fresh, error);
  const auto made = run_to_end_blocking(
      Deadline::after(120s),
      as_server(layout, {(binaries / "initdb").string(), "-D", fresh.string(), "-U", "postgres", "--auth-local=trust",
                         "--auth-host=reject", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"}));
  if (!made) {
    return made.error();
  }
  ChildSpec single = as_server(layout, {(binaries / "postgres").string(), "--single", "-j", "-D", fresh.string(), "postgres"});
  // -j: an empty line after the semicolon ends a statement.
  single.input = std::string(kRolesSql) + "\n\nCREATE DATABASE sensus OWNER sensus_owner;\n\nREVOKE ALL ON DATABASE sensus FROM PUBLIC;\n\n"
                 "GRANT CONNECT ON DATABASE sensus TO sensus_app, sensus_grafana;\n\n";
  const auto provisioned = run_to_end_blocking(Deadline::after(60s), single);
  if (!provisioned) {
    return provisioned.error();
  }
  // The single-user backend reports a failed statement, goes on and exits with 0.
  if (provisioned->find("ERROR:") != std::string::npos || provisioned->find("FATAL:") != std::string::npos) {
    return make_error(Errc::internal, "creating the roles failed: " + *provisioned);
  }
  fs::rename(fresh, layout.postgres / "data", error);
  if (error) {
    return make_error(Errc::unavailable, "cannot rename '" + fresh.string() + "': " + error.message());
  }
  return {};
}

/// Settings of the embedded server; on the command line so that they follow the daemon's version, not the cluster's age. Durable;
/// sized for two cores beside the daemon. Log lines without values: terse leaves out DETAIL, and no statement text.
std::vector<std::string> settings(const EmbeddedLayout& layout) {
  const std::vector<std::string> pairs{
      "listen_addresses=",
      "unix_socket_directories=" + layout.sockets.string(),
      "unix_socket_permissions=0700",
      "port=5432",
      "max_connections=40",
      "shared_buffers=128MB",
      "effective_cache_size=512MB",
      "work_mem=8MB",
      "maintenance_work_mem=64MB",
      "fsync=on",
      "full_page_writes=on",
      "synchronous_commit=on",
      "wal_compression=lz4",
      "max_wal_size=1GB",
      "checkpoint_timeout=15min",
      "default_toast_compression=lz4",
      "random_page_cost=1.1",
      "jit=off",
      "max_parallel_workers=2",
      "max_locks_per_transaction=128",
      "timezone=UTC",
      "log_timezone=UTC",
      "logging_collector=off",
      "log_destination=stderr",
      "log_line_prefix=",
      "log_min_messages=warning",
      "log_error_verbosity=terse",
      "log_min_error_statement=panic",
  };
  std::vector<std::string> out;
  for (const std::string& pair : pairs) {
    out.emplace_back("-c");
    out.push_back(pair);
  }
  return out;
}

LogLevel level_of(std::string_view line) {
  // Said to every client that comes too early, and at every stop.
  if (line.find("the database system is") != std::string_view::npos ||
      line.find("due to administrator command") != std::string_view::npos) {
    return LogLevel::debug;
  }
  for (const std::string_view word : {"WARNING:", "FATAL:", "PANIC:"}) {
    if (line.find(word) != std::string_view::npos) {
      return LogLevel::warning;
    }
  }
  return LogLevel::debug;  // LOG, and ERROR, which the session that caused it reports.
}

}  // namespace

Result<ServiceSpec> prepare_postgres_blocking(const EmbeddedLayout& layout, const telemetry::Log& log) {
  const fs::path data = layout.postgres / "data";
  SENSUS_TRY(const fs::path binaries, find_binaries(data));
  if (!fs::exists(data / "PG_VERSION")) {
    SENSUS_TRY_VOID(make_cluster(layout, binaries, log));
  }
  if (const PidFile left = read_pid_file(data); is_process_in(left.pid, data)) {
    log.info("stopping the PostgreSQL of an earlier run", {{"pid", left.pid}});
    SENSUS_TRY_VOID(stop_stale_blocking(Deadline::after(30s), left.pid, data, SIGINT, SIGQUIT));
  }
  ServiceSpec spec;
  spec.name = "postgres";
  std::vector<std::string> argv{(binaries / "postgres").string(), "-D", data.string()};
  for (std::string& setting : settings(layout)) {
    argv.push_back(std::move(setting));
  }
  spec.child = as_server(layout, std::move(argv));
  spec.stop_signal = SIGINT;
  spec.hard_stop_signal = SIGQUIT;
  spec.ready = [data](pid_t pid) {
    const PidFile now = read_pid_file(data);
    return now.pid == pid && now.state == "ready";
  };
  spec.level_of = level_of;
  return spec;
}

}  // namespace sensus::app
