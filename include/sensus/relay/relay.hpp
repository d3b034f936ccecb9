#pragma once

#include "sensus/runtime/async.hpp"
#include "sensus/storage/outbox.hpp"
#include "sensus/stream/publisher.hpp"
#include "sensus/telemetry/health.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <cstdint>
#include <memory>

namespace sensus::config {
class Section;
}

namespace sensus::relay {

struct Options {
  std::int64_t batch = 200;
  std::chrono::milliseconds poll_interval{1000};  ///< Without a wake-up (another replica's rows).
  std::chrono::milliseconds lease{15'000};        ///< A claimed row is claimed again after this.
  std::chrono::milliseconds reconcile_interval{10'000};
  std::chrono::milliseconds reconcile_age{
      30'000};  ///< Unfinished rows older than this are looked up in Redis.
};
void describe(config::Section& section, Options& options);

/// Outbox -> Redis Streams, and the reconciler that publishes again what Redis lost. **Threading**:
/// reactor. Any number of replicas.
class Relay {
 public:
  Relay(runtime::Executor executor, storage::Outbox& outbox, stream::Publisher& publisher,
        Options options, telemetry::Log log, telemetry::Metrics& metrics);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  [[nodiscard]] runtime::Task run();
  [[nodiscard]] runtime::Task run_reconciler();
  /// New rows are there.
  void wake();
  /// A consumer found its stream or group gone: every unfinished row of the topic is published
  /// again.
  void republish(model::Topic topic);
  /// Both loops end after the batch in hand.
  void stop();
  /// degraded while rows wait and Redis does not take them.
  [[nodiscard]] telemetry::HealthReport health() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::relay
