#include "series_hash_internal.hpp"

#include <cstring>
#include <random>

namespace sensus::ingest {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;
constexpr std::uint64_t kLimbMask = (std::uint64_t{1} << 56) - 1;
constexpr std::size_t kLimbBytes = 7;
constexpr std::size_t kBlockLimbs = 4;
constexpr std::size_t kBlockBytes = kLimbBytes * kBlockLimbs;

/// Congruent and below 2^61 + 8, which is small enough for the next round.
std::uint64_t fold(Wide x) {
  const std::uint64_t once = (static_cast<std::uint64_t>(x) & kPrime) + static_cast<std::uint64_t>(x >> 61);
  return (once & kPrime) + (once >> 61);
}

std::uint64_t multiply(std::uint64_t x, std::uint64_t y) {
  const std::uint64_t folded = fold(static_cast<Wide>(x) * y);
  return folded >= kPrime ? folded - kPrime : folded;
}

/// Reads a byte more than the limb has.
std::uint64_t limb(const char* at) {
  std::uint64_t out;
  std::memcpy(&out, at, sizeof out);
  return out & kLimbMask;
}

std::uint64_t random_secret() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

}  // namespace

SeriesHasher::Powers::Powers(std::uint64_t secret)
    // Never 0 or 1, for which the polynomial says nothing.
    : k1(secret % (kPrime - 2) + 2), k2(multiply(k1, k1)), k3(multiply(k2, k1)), k4(multiply(k3, k1)) {}

SeriesHasher::SeriesHasher() : SeriesHasher(random_secret(), random_secret()) {}

SeriesHasher::SeriesHasher(std::uint64_t secret_a, std::uint64_t secret_b) : a_(secret_a), b_(secret_b) {}

SeriesHash SeriesHasher::operator()(TenantId tenant, std::string_view key) const {
  // Tenant and length are the first coefficient: keys that differ only by zero bytes at their end differ there.
  const std::uint64_t first =
      ((static_cast<std::uint64_t>(key.size()) << 32) ^ static_cast<std::uint32_t>(tenant)) & kPrime;
  SeriesHash h{first, first};
  const auto block = [&h, this](const char* at) {
    const std::uint64_t m0 = limb(at);
    const std::uint64_t m1 = limb(at + kLimbBytes);
    const std::uint64_t m2 = limb(at + 2 * kLimbBytes);
    const std::uint64_t m3 = limb(at + 3 * kLimbBytes);
    const auto step = [m0, m1, m2, m3](std::uint64_t x, const Powers& p) {
      return fold(static_cast<Wide>(x) * p.k4 + static_cast<Wide>(m0) * p.k3 + static_cast<Wide>(m1) * p.k2 +
                  static_cast<Wide>(m2) * p.k1 + m3);
    };
    h.a = step(h.a, a_);
    h.b = step(h.b, b_);
  };
  const char* at = key.data();
  std::size_t left = key.size();
  for (; left > kBlockBytes; left -= kBlockBytes, at += kBlockBytes) {
    block(at);
  }
  char last[kBlockBytes + 1] = {};
  if (left > 0) {
    std::memcpy(last, at, left);
  }
  block(last);
  // One more multiplication, so that the last bytes reach all bits.
  return {multiply(h.a, a_.k1), multiply(h.b, b_.k1)};
}

}  // namespace sensus::ingest
