#pragma once

#include "sensus/relay/relay.hpp"
#include "sensus/runtime/backoff.hpp"
#include "sensus/runtime/signal.hpp"

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace sensus::relay {

struct RelayInstruments {
  explicit RelayInstruments(telemetry::Metrics& metrics);
  telemetry::Gauge pending;
  telemetry::Gauge unfinished;
  telemetry::Gauge oldest_age_s;
  telemetry::Counter published;
  telemetry::Counter republished;
  telemetry::Counter publish_errors;
  telemetry::Counter outbox_errors;
  telemetry::Histogram publish_seconds;
};

/// `relay.cpp` holds the way out, `reconciler.cpp` the way back. Both loops run on the reactor and
/// share only these fields.
struct Relay::Impl {
  using Self = std::shared_ptr<Impl>;
  Impl(const runtime::Executor& executor, storage::Outbox& o, stream::Publisher& p, Options opts,
       telemetry::Log l, telemetry::Metrics& metrics)
      : outbox(o),
        publisher(p),
        options(opts),
        log(std::move(l)),
        instruments(metrics),
        rows(executor),
        reconcile(executor) {}

  static runtime::Task run(Self self);
  /// One claim and what follows. How many rows it moved.
  static runtime::Async<std::size_t> step(Self self);
  static runtime::Async<> give_back(Self self, std::vector<EventId> ids,
                                    std::chrono::milliseconds retry_after);

  static runtime::Task run_reconciler(Self self);
  static runtime::Async<> refresh_stats(Self self);
  static runtime::Async<> republish_topics(Self self);
  static runtime::Async<> republish_missing(Self self);

  void note_publish_failure(const Error& error, std::size_t count);
  void note_outbox_failure(const char* what, const Error& error);
  void note_republished(std::size_t count, const char* why);

  storage::Outbox& outbox;
  stream::Publisher& publisher;
  Options options;
  telemetry::Log log;
  RelayInstruments instruments;
  runtime::Signal rows;       ///< New rows, or stop.
  runtime::Signal reconcile;  ///< A topic to republish, or stop.
  std::set<model::Topic> topics;
  std::string redis_trouble;  ///< Empty while Redis takes rows.
  std::string outbox_trouble;
  std::int64_t waiting = 0;  ///< Rows not published, as last counted.
  bool stopping = false;
};

/// For one step that talks to PostgreSQL or Redis.
[[nodiscard]] inline Deadline step_deadline() { return Deadline::after(std::chrono::seconds{5}); }

}  // namespace sensus::relay
