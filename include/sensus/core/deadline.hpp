#pragma once

#include "sensus/core/time.hpp"

#include <algorithm>

namespace sensus {

/// An absolute point on the steady clock. The first parameter of everything that waits.
class Deadline {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  constexpr explicit Deadline(TimePoint at) : at_(at) {}
  [[nodiscard]] static Deadline after(Duration d) { return Deadline{std::chrono::steady_clock::now() + d}; }
  [[nodiscard]] static constexpr Deadline never() { return Deadline{TimePoint::max()}; }

  [[nodiscard]] constexpr TimePoint at() const { return at_; }
  [[nodiscard]] bool expired() const { return std::chrono::steady_clock::now() >= at_; }
  /// Time left, never negative.
  [[nodiscard]] Duration remaining() const {
    if (at_ == TimePoint::max()) {
      return Duration::max();
    }
    return std::max(Duration::zero(), at_ - std::chrono::steady_clock::now());
  }
  [[nodiscard]] friend constexpr Deadline min(Deadline a, Deadline b) { return a.at_ < b.at_ ? a : b; }

 private:
  TimePoint at_;
};

}  // namespace sensus
