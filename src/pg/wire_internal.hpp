#pragma once

#include "sensus/core/deadline.hpp"
#include "sensus/pg/tx.hpp"

#include <memory>
#include <string>

struct pg_conn;
struct pg_result;

namespace sensus::pg {

/// A libpq connection that never waits past a deadline, and that another thread can stop.
/// **Threading**: one thread, but for `stop`.
/// **Errors**: throws SqlFailure; after one that is `lost` the connection is of no use. A late or
/// stopped wait is `lost` with SQLSTATE 57014.
class Wire {
 public:
  explicit Wire(const std::string& conninfo);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void set_deadline(Deadline deadline) { deadline_ = deadline; }
  /// Simple query protocol: several statements in one round trip. `sql` holds no input. COPYs in it
  /// take their data from `copies` in order; `*all_sent` becomes true just before the last of them
  /// ends, or at once when there is none.
  void run(const std::string& sql, const std::vector<const std::string*>& copies, bool* all_sent);
  Rows query(std::string_view sql, const Params& params);
  /// False when the connection cannot be used further.
  [[nodiscard]] bool rollback() noexcept;
  /// Any thread; every wait from now on fails, until `clear_stop`.
  void stop();
  void clear_stop();

 private:
  struct FreeConnection {
    void operator()(pg_conn* p) const;
  };
  struct FreeResult {
    void operator()(pg_result* p) const;
  };
  using ResultPtr = std::unique_ptr<pg_result, FreeResult>;

  [[noreturn]] void fail_connection();
  [[noreturn]] void fail_result(const pg_result* result);
  void wait(short events);
  void flush();
  ResultPtr next_result();
  void send_copy(const std::string& data);
  void end_copy();

  std::unique_ptr<pg_conn, FreeConnection> connection_;
  int stop_event_ = -1;
  Deadline deadline_ = Deadline::never();
};

}  // namespace sensus::pg
