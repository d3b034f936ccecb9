#pragma once

#include "sensus/core/deadline.hpp"
#include "sensus/pg/database.hpp"

#include <memory>
#include <string>

namespace sensus::pg {

/// One PostgreSQL session. **Threading**: the thread that opened it, but for the socket number.
/// **Errors**: everything throws SqlFailure; nothing of libpqxx escapes.
class Session final : public Tx {
 public:
  /// Opens a session; blocks up to connect_timeout a host. A refusal has the SQLSTATE that its text
  /// gives away.
  explicit Session(const std::string& conninfo);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// One round trip. Every statement until the end is limited to `statement_limit`, none starts
  /// after the deadline.
  void begin(Access access, std::chrono::milliseconds statement_limit, Deadline deadline);
  Rows exec(std::string_view sql, const Params& params = {}) override;
  /// Several statements in one round trip, without parameters and outside the prepared ones. `sql`
  /// holds no input.
  void exec_script(const std::string& sql);
  /// The failure is `lost` when its outcome is unknown.
  void commit();
  /// False when the session cannot be used further.
  [[nodiscard]] bool rollback() noexcept;

  [[nodiscard]] int socket() const;
  [[nodiscard]] std::chrono::steady_clock::time_point opened_at() const { return opened_at_; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::chrono::steady_clock::time_point opened_at_ = std::chrono::steady_clock::now();
};

}  // namespace sensus::pg
