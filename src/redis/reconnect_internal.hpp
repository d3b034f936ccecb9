#pragma once

#include "sensus/core/deadline.hpp"
#include "sensus/runtime/backoff.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace sensus::redis {

/// When to dial again. Pure: time comes in. A connection that is up but dies young does not reset
/// the back-off, so a server that accepts and drops is not hammered.
class ReconnectPolicy {
 public:
  using TimePoint = Deadline::TimePoint;
  static constexpr runtime::BackoffOptions kBackoff{std::chrono::milliseconds{50},
                                                    std::chrono::milliseconds{2000}};
  static constexpr Duration kStable = std::chrono::seconds{5};

  explicit ReconnectPolicy(std::uint64_t seed) : backoff_(kBackoff, seed) {}
  void connected(TimePoint now) { since_ = now; }
  /// The connection was lost, or dialling failed: how long to wait before the next attempt.
  [[nodiscard]] std::chrono::milliseconds lost(TimePoint now);
  [[nodiscard]] unsigned attempts() const { return backoff_.attempt(); }

 private:
  runtime::Backoff backoff_;
  std::optional<TimePoint> since_;
};

}  // namespace sensus::redis
