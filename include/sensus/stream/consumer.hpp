#pragma once

#include "sensus/core/clock.hpp"
#include "sensus/stream/stream.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sensus::stream {

enum class Disposition {
  ack,    ///< The effect is committed.
  retry,  ///< Leave it pending; delivered again after claim_idle, at most deliveries_max times.
  dead_letter,  ///< It can never succeed.
};

/// Consumes one topic in the configured group: own connection, XREADGROUP BLOCK, XACK only what the
/// handler says, first what this consumer left pending, XAUTOCLAIM of what dead consumers left,
/// dead letters after deliveries_max. A missing group is made again from id 0 and `on_lost` is
/// called (outbox rows of the topic must be published again), as when entries vanished before they
/// were read (lag stays above zero while reads come back empty). **Threading**: reactor.
/// **Lifetime**: `stop`, wait for `run` to end, destroy.
class Consumer {
 public:
  /// One disposition for each entry, same order. May throw only on cancellation; an Error leaves
  /// the whole batch pending.
  using Handler = std::function<runtime::Async<std::vector<Disposition>>(std::vector<Entry>)>;
  /// Called for an entry that is given up, before it is acknowledged; on an error it stays pending.
  using DeadLetterSink =
      std::function<runtime::Async<>(Entry entry, std::int64_t deliveries, std::string reason)>;

  struct Deps {
    runtime::Executor executor;
    redis::Options redis;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    /// Empty: replicas share the topic. Else one of them consumes it at a time, this one while this
    /// says so: nothing is read or handled while it does not, and what any other consumer of the
    /// group has pending is taken over at once, oldest first.
    std::function<bool()> holds = {};
  };
  Consumer(Deps deps, Options options, model::Topic topic, Handler handler,
           DeadLetterSink dead_letters, std::function<void()> on_lost);
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  [[nodiscard]] runtime::Task run();
  /// Finishes the batch in hand, then ends within `block`.
  void stop();
  /// False: finishes the batch in hand, and reads no more until true. At first an exclusive consumer
  /// is not active, others are.
  void set_active(bool active);
  /// Nothing is in hand and nothing is being read; `timeout` when that does not come about.
  [[nodiscard]] runtime::Async<> wait_parked(Deadline deadline);
  [[nodiscard]] telemetry::HealthReport health() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Trims every stream to what all of its groups have done: MINID of the least of (oldest pending,
/// last delivered), never by length; `events`, which has no group, by age. Exports length, lag and
/// pending of each stream. Runs every `interval` until cancelled.
[[nodiscard]] runtime::Task run_janitor(redis::Client& client, Options options, const Clock& clock,
                                        telemetry::Log log, telemetry::Metrics& metrics,
                                        std::chrono::milliseconds interval);

}  // namespace sensus::stream
