#pragma once

#include "sensus/core/ids.hpp"

#include <cstdint>
#include <string_view>

namespace sensus::ingest {

/// What stands for a series in memory instead of its key: 122 bits of a keyed hash.
struct SeriesHash {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  friend bool operator==(const SeriesHash&, const SeriesHash&) = default;
};
/// For tables. Keys that differ in a counter have hashes in arithmetic progression, whose low bits may well be all the same; so the
/// bits are mixed.
struct SeriesHashBits {
  std::size_t operator()(const SeriesHash& hash) const {
    const std::uint64_t mixed = (hash.a ^ (hash.a >> 31)) * 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
  }
};

/// Two polynomials over the field of 2^61 - 1 whose arguments are secrets of the process. Two keys of n bytes meet with a
/// probability of at most (n / 7 / 2^61)^2, whoever chose them without knowing the secrets (Carter and Wegman, 1979): 10^-34 for
/// keys of 200 bytes, so that nobody needs to compare the keys themselves. Pure; any thread.
class SeriesHasher {
 public:
  /// Secrets from the system.
  SeriesHasher();
  SeriesHasher(std::uint64_t secret_a, std::uint64_t secret_b);
  [[nodiscard]] SeriesHash operator()(TenantId tenant, std::string_view key) const;

 private:
  struct Powers {
    explicit Powers(std::uint64_t secret);
    std::uint64_t k1, k2, k3, k4;
  };
  Powers a_;
  Powers b_;
};

}  // namespace sensus::ingest
