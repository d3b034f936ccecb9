#pragma once

#include "sensus/pg/database.hpp"
#include "sensus/storage/alerts.hpp"
#include "sensus/storage/samples.hpp"
#include "support/coro_test.hpp"
#include "support/services.hpp"

#include <boost/asio/this_coro.hpp>

#include <memory>
#include <string>

namespace sensus::test {

inline Deadline soon() { return Deadline::after(std::chrono::seconds{15}); }

inline Timestamp at(const std::string& text) { return parse_rfc3339(text).value(); }

/// A migrated database of the test's own and the daemon's connection to it.
struct Store {
  explicit Store(runtime::Executor executor, std::int64_t sessions = 2)
      : options(with_sessions(db.options(), sessions)),
        database(std::move(executor), options, telemetry::Log(), metrics) {}

  static pg::Options with_sessions(pg::Options options, std::int64_t sessions) {
    options.sessions = sessions;
    return options;
  }
  [[nodiscard]] std::string value(const std::string& sql) { return db.admin_value(sql); }

  TestDatabase db;
  telemetry::Metrics metrics;
  pg::Options options;
  pg::Database database;
};

inline model::AlertArrival firing(const std::string& name, Timestamp starts_at,
                                  const std::string& severity = "warning") {
  model::AlertArrival arrival;
  arrival.labels = {{"alertname", name}, {"severity", severity}, {"instance", "a"}};
  arrival.annotations = {{"description", "about " + name}};
  arrival.starts_at = starts_at;
  arrival.generator_url = "http://prometheus/graph";
  return arrival;
}

inline model::AlertArrival resolved(const std::string& name, Timestamp starts_at,
                                    Timestamp ends_at) {
  model::AlertArrival arrival = firing(name, starts_at);
  arrival.status = model::AlertStatus::resolved;
  arrival.ends_at = ends_at;
  return arrival;
}

inline model::AlertBatch batch_of(std::vector<model::AlertArrival> arrivals) {
  model::AlertBatch batch;
  batch.arrivals = std::move(arrivals);
  batch.receiver = "sensus";
  return batch;
}

inline model::AlertBatch batch_of(model::AlertArrival arrival) {
  return batch_of(std::vector<model::AlertArrival>(1, std::move(arrival)));
}

inline std::string series_key(const std::string& name, const std::string& instance) {
  return model::encode_series_key(name, model::Labels{{"instance", instance}, {"job", "j"}});
}

}  // namespace sensus::test
