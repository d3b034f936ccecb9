#pragma once

#include "sensus/pg/options.hpp"
#include "sensus/redis/client.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pg_conn;

namespace sensus::test {

/// Rows of text; NULL reads as "NULL".
using TextRows = std::vector<std::vector<std::string>>;

/// A connection of the superuser, for what a test must do or see behind the code's back. Throws
/// std::runtime_error with the server's message. One thread.
class AdminConnection {
 public:
  AdminConnection(const std::filesystem::path& socket_directory, const std::string& database);
  TextRows exec(const std::string& sql);
  /// First column of the first row; "" when there is none.
  std::string value(const std::string& sql);

 private:
  struct Close {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Close> connection_;
};

/// A migrated database of its own on the shared cluster, dropped (with its sessions) by the
/// destructor.
class TestDatabase {
 public:
  TestDatabase();
  /// `migrated` false: an empty database, for tests of migrations.
  explicit TestDatabase(bool migrated);
  ~TestDatabase();
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Connects as sensus_app: what the daemon may do.
  [[nodiscard]] pg::Options options() const;
  /// Connects as the superuser with role sensus_owner; migration_url is the plain superuser.
  [[nodiscard]] pg::Options owner_options() const;
  /// Runs SQL as superuser in this database.
  TextRows admin(const std::string& sql);
  std::string admin_value(const std::string& sql);
  /// Cuts every session of this database but the administrator's. Returns how many there were.
  std::size_t terminate_sessions();

 private:
  std::filesystem::path directory_;
  std::string name_;
  std::unique_ptr<AdminConnection> connection_;
};

/// The shared server of the run; use `unique_prefix` for every key.
[[nodiscard]] redis::Options redis_options();
/// "t<pid>.<n>.<random>:", never the same twice.
[[nodiscard]] std::string unique_prefix();

/// A PostgreSQL cluster that a test may stop and kill. Holds the migrated database "sensus".
/// Started by the constructor.
class PrivatePostgres {
 public:
  PrivatePostgres();
  ~PrivatePostgres();
  PrivatePostgres(const PrivatePostgres&) = delete;
  PrivatePostgres& operator=(const PrivatePostgres&) = delete;

  void start();
  /// "smart", "fast" or "immediate".
  void stop(std::string_view mode = "fast");
  /// kill -9 of the postmaster.
  void kill();
  [[nodiscard]] pg::Options options() const;
  [[nodiscard]] pg::Options owner_options() const;
  /// A fresh superuser connection to "sensus".
  [[nodiscard]] AdminConnection admin() const;
  [[nodiscard]] const std::filesystem::path& socket_directory() const { return directory_; }

 private:
  std::filesystem::path directory_;
};

/// A Redis server that a test may stop, kill and configure. Started by the constructor; keeps
/// nothing over a restart.
class PrivateRedis {
 public:
  PrivateRedis();
  ~PrivateRedis();
  PrivateRedis(const PrivateRedis&) = delete;
  PrivateRedis& operator=(const PrivateRedis&) = delete;

  void start();
  void stop();
  void kill();
  [[nodiscard]] redis::Options options() const;

 private:
  std::filesystem::path directory_;
};

}  // namespace sensus::test
