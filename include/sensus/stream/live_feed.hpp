#pragma once

#include "sensus/stream/stream.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::stream {

/// The events topic for many readers over one connection: one XREAD BLOCK, fanned out to
/// subscribers with a bounded queue each (a slow one loses its place and is closed; it comes back
/// with Last-Event-ID). **Threading**: reactor.
class LiveFeed {
 public:
  class Subscription {
   public:
    virtual ~Subscription() = default;
    /// The next entries; empty when the deadline passed (send a heartbeat); `unavailable` when
    /// closed or too slow.
    [[nodiscard]] virtual runtime::Async<std::vector<Entry>> next(Deadline deadline) = 0;
  };

  struct Deps {
    runtime::Executor executor;
    redis::Options redis;
    telemetry::Log log;
    telemetry::Metrics& metrics;
  };
  LiveFeed(Deps deps, Options options);
  ~LiveFeed();
  LiveFeed(const LiveFeed&) = delete;
  LiveFeed& operator=(const LiveFeed&) = delete;

  /// From after `last_event_id` (a stream id, what is still kept of it), or from now on.
  /// `overloaded` beyond 256 subscribers; `invalid_input` when the id is malformed.
  [[nodiscard]] runtime::Async<std::unique_ptr<Subscription>> subscribe(
      Deadline deadline, std::optional<std::string> last_event_id);
  [[nodiscard]] runtime::Task run();
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::stream
