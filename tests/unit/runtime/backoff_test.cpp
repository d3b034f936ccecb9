#include "sensus/runtime/backoff.hpp"

#include <gtest/gtest.h>

namespace sensus::runtime {
namespace {

TEST(Backoff, GrowsWithinItsBoundsAndStaysAtTheLongest) {
  Backoff backoff({100ms, 1000ms}, 7);
  std::int64_t full = 100;
  for (int i = 0; i < 40; ++i) {
    const auto delay = backoff.next().count();
    EXPECT_GE(delay, full / 2);
    EXPECT_LE(delay, full);
    full = std::min<std::int64_t>(full * 2, 1000);
  }
}

TEST(Backoff, ResetStartsOver) {
  Backoff backoff({100ms, 60'000ms}, 7);
  for (int i = 0; i < 10; ++i) {
    static_cast<void>(backoff.next());
  }
  backoff.reset();
  EXPECT_LE(backoff.next(), 100ms);
  EXPECT_EQ(backoff.attempt(), 1U);
}

TEST(Backoff, TheSameSeedGivesTheSameDelays) {
  Backoff a({}, 42);
  Backoff b({}, 42);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(a.next(), b.next());
  }
}

}  // namespace
}  // namespace sensus::runtime
