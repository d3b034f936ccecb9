#pragma once

#include "sensus/core/errc.hpp"

#include <stdexcept>
#include <string>
#include <string_view>

namespace sensus::pg {

/// What to do about a failed transaction.
enum class Reaction {
  give_up,    ///< Rolled back; the session is fine.
  run_again,  ///< Another transaction was in the way: the same session may repeat it.
  replan,     ///< Prepared statements no longer fit the server: a new session repeats it.
  replace,    ///< The session cannot be used further.
};

struct Verdict {
  Errc code = Errc::internal;
  Reaction reaction = Reaction::give_up;
  std::string_view error_class;  ///< Metric label `class`; low cardinality.
  std::string_view advice;       ///< What an operator or caller reads.
};

/// The one table from SQLSTATE to what Sensus makes of it. Pure.
[[nodiscard]] Verdict classify(std::string_view sqlstate);
/// Every value of Verdict::error_class.
inline constexpr std::string_view kErrorClasses[] = {
    "connection", "timeout",        "read_only", "disk_full",     "too_many_connections",
    "resources",  "authentication", "deadlock",  "serialization", "stale_plan",
    "constraint", "invalid_input",  "schema",    "internal"};

/// A failure of the driver, thrown by Session and mapped where a transaction is run.
class SqlFailure : public std::runtime_error {
 public:
  SqlFailure(std::string sqlstate, const std::string& message, bool lost)
      : std::runtime_error(message), sqlstate_(std::move(sqlstate)), lost_(lost) {}
  /// Empty when the server did not answer.
  [[nodiscard]] const std::string& sqlstate() const { return sqlstate_; }
  /// The connection is gone.
  [[nodiscard]] bool lost() const { return lost_; }

 private:
  std::string sqlstate_;
  bool lost_;
};

/// SQLSTATE of a session that could not be opened, from what libpq says of it, since libpq keeps the
/// state to itself. 08001 for what it does not know, such as messages in another language.
[[nodiscard]] std::string_view sqlstate_of_refusal(std::string_view message);

/// The server's own sentence without DETAIL, CONTEXT and the statement, which may quote data.
[[nodiscard]] std::string first_line(std::string_view message);

}  // namespace sensus::pg
