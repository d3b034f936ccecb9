#include "support/services.hpp"

#include <libpq-fe.h>
#include <unistd.h>

#include <sys/wait.h>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <stdexcept>

/// Leaks of libraries that tests run into. libpqxx 6.4 forgets the result (2 KiB) of a statement
/// whose connection was lost.
extern "C" const char* __lsan_default_suppressions();  // NOLINT: the name is LeakSanitizer's.
extern "C" const char* __lsan_default_suppressions() { return "leak:libpqxx\n"; }

namespace sensus::test {
namespace {

namespace fs = std::filesystem;

/// Runs services.sh with arguments of ours (no spaces, no quotes) and returns its output without
/// the last newline.
std::string run_script(const std::string& arguments) {
  const std::string command =
      std::string("'") + SENSUS_SERVICES_SCRIPT + "' " + arguments + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT: arguments are made by this file.
  if (pipe == nullptr) {
    throw std::runtime_error("cannot run " + command);
  }
  std::string output;
  std::array<char, 512> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), pipe) != nullptr) {
    output += buffer.data();
  }
  const int status = ::pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw std::runtime_error(command + " failed: " + output);
  }
  while (!output.empty() && output.back() == '\n') {
    output.pop_back();
  }
  return output;
}

fs::path shared_directory() {
  const char* override_path = std::getenv("SENSUS_TEST_SERVICES");
  const std::string path = override_path != nullptr ? override_path : SENSUS_SERVICES_FILE;
  std::ifstream file(path);
  std::string line;
  const std::string key = "directory=";
  while (std::getline(file, line)) {
    if (line.rfind(key, 0) == 0 && fs::is_directory(line.substr(key.size()))) {
      return line.substr(key.size());
    }
  }
  throw std::runtime_error("the test servers are not running (" + path +
                           "): run the test through ctest, or start them with " +
                           SENSUS_SERVICES_SCRIPT + " start " + path +
                           " <build>/bin/sensus_test_migrate");
}

std::string random_suffix() {
  static std::atomic<unsigned> counter{0};
  std::random_device random;
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%d_%u_%06x", static_cast<int>(::getpid()), ++counter,
                random() & 0xFFFFFFU);
  return text.data();
}

pg::Options options_for(const fs::path& directory, const std::string& database) {
  pg::Options options;
  options.url = "host=" + directory.string() + " dbname=" + database + " user=sensus_app";
  options.sessions = 2;
  return options;
}

pg::Options owner_options_for(const fs::path& directory, const std::string& database) {
  pg::Options options = options_for(directory, database);
  options.migration_url = "host=" + directory.string() + " dbname=" + database + " user=postgres";
  options.url = options.migration_url + " options='-c role=sensus_owner'";
  return options;
}

redis::Options redis_at(const fs::path& directory) {
  redis::Options options;
  options.socket = (directory / "redis.sock").string();
  return options;
}

}  // namespace

void AdminConnection::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

AdminConnection::AdminConnection(const fs::path& socket_directory, const std::string& database) {
  const std::string info = "host=" + socket_directory.string() +
                           " user=postgres dbname=" + database +
                           " application_name=sensus_test_admin options='-c "
                           "client_min_messages=warning -c TimeZone=UTC'";
  connection_.reset(PQconnectdb(info.c_str()));
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw std::runtime_error(PQerrorMessage(connection_.get()));
  }
}

TextRows AdminConnection::exec(const std::string& sql) {
  std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), sql.c_str()),
                                                       &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    throw std::runtime_error(std::string(PQerrorMessage(connection_.get())) + "in: " + sql);
  }
  TextRows rows;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    auto& cells = rows.emplace_back();
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      const bool null = PQgetisnull(result.get(), row, column) != 0;
      cells.emplace_back(null ? "NULL" : PQgetvalue(result.get(), row, column));
    }
  }
  return rows;
}

std::string AdminConnection::value(const std::string& sql) {
  const TextRows rows = exec(sql);
  return rows.empty() || rows[0].empty() ? std::string() : rows[0][0];
}

TestDatabase::TestDatabase() : TestDatabase(true) {}

TestDatabase::TestDatabase(bool migrated)
    : directory_(shared_directory()), name_("t_" + random_suffix()) {
  AdminConnection admin(directory_, "postgres");
  admin.exec("create database " + name_ + (migrated ? " template sensus_test_template" : ""));
  // What a migration sets by ALTER DATABASE is not copied from a template.
  if (migrated) {
    admin.exec("alter database " + name_ + " set search_path = sensus, public");
  }
}

TestDatabase::~TestDatabase() {
  connection_.reset();
  try {
    AdminConnection admin(directory_, "postgres");
    admin.exec("drop database if exists " + name_ + " with (force)");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "dropping %s: %s\n", name_.c_str(), e.what());
  }
}

pg::Options TestDatabase::options() const { return options_for(directory_, name_); }
pg::Options TestDatabase::owner_options() const { return owner_options_for(directory_, name_); }

TextRows TestDatabase::admin(const std::string& sql) {
  if (!connection_) {
    connection_ = std::make_unique<AdminConnection>(directory_, name_);
  }
  return connection_->exec(sql);
}

std::string TestDatabase::admin_value(const std::string& sql) {
  const TextRows rows = admin(sql);
  return rows.empty() || rows[0].empty() ? std::string() : rows[0][0];
}

std::size_t TestDatabase::terminate_sessions() {
  return admin(
             "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = "
             "current_database() "
             "and pid <> pg_backend_pid()")
      .size();
}

redis::Options redis_options() { return redis_at(shared_directory()); }

std::string unique_prefix() { return "t" + random_suffix() + ":"; }

PrivatePostgres::PrivatePostgres() : directory_(run_script("new-directory")) {
  run_script("pg-new " + directory_.string() + " " + (shared_directory() / "pristine").string());
}

PrivatePostgres::~PrivatePostgres() {
  try {
    stop("immediate");
    run_script("remove " + directory_.string());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "private PostgreSQL: %s\n", e.what());
  }
}

void PrivatePostgres::start() { run_script("pg-start " + directory_.string()); }
void PrivatePostgres::stop(std::string_view mode) {
  run_script("pg-stop " + directory_.string() + " " + std::string(mode));
}
void PrivatePostgres::kill() { run_script("pg-kill " + directory_.string()); }
pg::Options PrivatePostgres::options() const { return options_for(directory_, "sensus"); }
pg::Options PrivatePostgres::owner_options() const {
  return owner_options_for(directory_, "sensus");
}
AdminConnection PrivatePostgres::admin() const { return AdminConnection(directory_, "sensus"); }

PrivateRedis::PrivateRedis() : directory_(run_script("new-directory")) { start(); }

PrivateRedis::~PrivateRedis() {
  try {
    kill();
    run_script("remove " + directory_.string());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "private Redis: %s\n", e.what());
  }
}

void PrivateRedis::start() { run_script("redis-start " + directory_.string()); }
void PrivateRedis::stop() { run_script("redis-stop " + directory_.string()); }
void PrivateRedis::kill() { run_script("redis-kill " + directory_.string()); }
redis::Options PrivateRedis::options() const { return redis_at(directory_); }

}  // namespace sensus::test
