#include "sensus/runtime/backoff.hpp"

#include <algorithm>

namespace sensus::runtime {

Backoff::Backoff(BackoffOptions options, std::uint64_t seed)
    : options_(options), rng_(static_cast<std::minstd_rand::result_type>(seed % 2147483646U + 1U)) {}

std::chrono::milliseconds Backoff::next() {
  constexpr unsigned kMaxShift = 20;
  const auto grown = options_.first.count() << std::min(attempt_, kMaxShift);
  const std::int64_t full = std::clamp<std::int64_t>(grown, 1, options_.longest.count());
  ++attempt_;
  const auto range = static_cast<std::uint64_t>(full - full / 2) + 1;
  return std::chrono::milliseconds{full / 2 + static_cast<std::int64_t>(rng_() % range)};
}

}  // namespace sensus::runtime
