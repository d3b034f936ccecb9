#pragma once

#include "sensus/pg/database.hpp"
#include "support/coro_test.hpp"
#include "support/services.hpp"

#include <boost/asio/this_coro.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sensus::test {

inline Deadline soon(std::chrono::milliseconds within = std::chrono::seconds{10}) {
  return Deadline::after(within);
}

/// A reactor-bound Database over a database of the test's own. Make it inside the coroutine, which
/// gives the executor.
struct OpenDatabase {
  OpenDatabase(runtime::Executor executor, pg::Options options)
      : database(std::move(executor), std::move(options), telemetry::Log(), metrics) {}
  telemetry::Metrics metrics;
  pg::Database database;

  /// The value of one line of the metrics page, e.g. `sensus_pg_up`; -1 when there is none.
  double metric(const std::string& name_and_labels) const {
    const std::string page = metrics.render();
    const auto at = page.find("\n" + name_and_labels + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + name_and_labels.size() + 2));
  }
};

/// Runs statements without parameters in one transaction; the value of the last one's first cell,
/// or "". GCC 12 cannot compile a braced list inside a co_await expression: name it on the line
/// above.
inline runtime::Async<std::string> run_all(pg::Database& database, Deadline deadline,
                                           std::vector<std::string> statements) {
  std::function<Result<std::string>(pg::Tx&)> job =
      [statements = std::move(statements)](pg::Tx& tx) -> Result<std::string> {
    std::string value;
    for (const std::string& sql : statements) {
      const pg::Rows rows = tx.exec(sql);
      value = rows.empty() || rows.is_null(0, 0) ? std::string() : std::string(rows.text(0, 0));
    }
    return value;
  };
  auto result =
      co_await database.transact<std::string>(deadline, pg::Access::read_write, std::move(job));
  co_return result;
}

inline runtime::Async<std::string> run_sql(pg::Database& database, Deadline deadline,
                                           std::string sql) {
  std::vector<std::string> statements(1, std::move(sql));
  auto result = co_await run_all(database, deadline, std::move(statements));
  co_return result;
}

inline boost::asio::awaitable<runtime::Executor> this_executor() {
  auto executor = co_await boost::asio::this_coro::executor;
  co_return executor;
}

}  // namespace sensus::test
