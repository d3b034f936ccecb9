#pragma once

#include "sensus/core/time.hpp"

#include <chrono>
#include <cstdint>
#include <random>

namespace sensus::runtime {

struct BackoffOptions {
  std::chrono::milliseconds first{100};
  std::chrono::milliseconds longest{5000};
};

/// Exponential with full jitter over the upper half: delay(n) in [d/2, d], d = min(longest, first * 2^n). Pure but for its own
/// generator, which is seeded, so tests repeat.
class Backoff {
 public:
  explicit Backoff(BackoffOptions options, std::uint64_t seed = std::random_device{}());
  [[nodiscard]] std::chrono::milliseconds next();
  void reset() { attempt_ = 0; }
  [[nodiscard]] unsigned attempt() const { return attempt_; }

 private:
  BackoffOptions options_;
  unsigned attempt_ = 0;
  std::minstd_rand rng_;
};

}  // namespace sensus::runtime
