#pragma once

#include "pg/sqlstate_internal.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <map>
#include <string>

namespace sensus::pg {

struct PgMetrics {
  explicit PgMetrics(telemetry::Metrics& m)
      : up(m.gauge("sensus_pg_up", "1 when the last attempt reached PostgreSQL, else 0.")),
        sessions_open(m.gauge("sensus_pg_sessions_open", "PostgreSQL sessions that are open now.")),
        pool_size(m.gauge("db_connection_pool_size", "PostgreSQL sessions that are open now.")),
        pool_size_max(
            m.gauge("db_connection_pool_max_size", "PostgreSQL sessions that may be open.")),
        discarded(
            m.counter("sensus_pg_sessions_discarded_total", "Sessions given up after a failure.")),
        in_doubt(m.counter("sensus_pg_in_doubt_total", "COMMITs whose answer never came.")),
        seconds(m.histogram("sensus_pg_transaction_seconds",
                            "Time of a transaction with its retries, without queueing.",
                            telemetry::latency_buckets())) {
    for (const std::string_view error_class : kErrorClasses) {
      errors[error_class] =
          m.counter("sensus_pg_errors_total", "Failed attempts of transactions, by cause.",
                    {{"class", error_class}});
    }
    for (const std::string_view reason : {"conflict", "session_lost", "stale_plan"}) {
      retries[reason] = m.counter("sensus_pg_retries_total", "Transactions run again, by reason.",
                                  {{"reason", reason}});
    }
  }

  void count_error(std::string_view error_class) const { errors.at(error_class).inc(); }
  void count_retry(std::string_view reason) const { retries.at(reason).inc(); }

  telemetry::Gauge up;
  telemetry::Gauge sessions_open;
  telemetry::Gauge pool_size;
  telemetry::Gauge pool_size_max;
  telemetry::Counter discarded;
  telemetry::Counter in_doubt;
  telemetry::Histogram seconds;
  std::map<std::string_view, telemetry::Counter> errors;
  std::map<std::string_view, telemetry::Counter> retries;
};

}  // namespace sensus::pg
