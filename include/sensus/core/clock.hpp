#pragma once

#include "sensus/core/time.hpp"

#include <atomic>

namespace sensus {

/// Time as an input, so that decisions can be tested. **Threading**: any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall clock: for what is stored and shown; may jump.
  [[nodiscard]] virtual Timestamp now() const = 0;
  /// Monotonic: for deadlines and intervals.
  [[nodiscard]] virtual std::chrono::steady_clock::time_point steady_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override;
  [[nodiscard]] std::chrono::steady_clock::time_point steady_now() const override;
};

/// A clock that moves only when told to; both faces move together.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : wall_us_(to_unix_us(start)) {}
  [[nodiscard]] Timestamp now() const override { return from_unix_us(wall_us_.load()); }
  [[nodiscard]] std::chrono::steady_clock::time_point steady_now() const override {
    return std::chrono::steady_clock::time_point{std::chrono::microseconds{steady_us_.load()}};
  }
  void advance(std::chrono::microseconds by) {
    wall_us_ += by.count();
    steady_us_ += by.count();
  }

 private:
  std::atomic<std::int64_t> wall_us_;
  std::atomic<std::int64_t> steady_us_{0};
};

}  // namespace sensus
