#include "redis/reconnect_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::redis {
namespace {
using namespace std::chrono_literals;
using TimePoint = ReconnectPolicy::TimePoint;

TEST(RedisReconnect, FailedAttemptsWaitLongerUpToTheLimit) {
  ReconnectPolicy policy(7);
  std::chrono::milliseconds before{0};
  for (int i = 0; i < 6; ++i) {
    const std::chrono::milliseconds pause = policy.lost(TimePoint{});
    EXPECT_GE(pause, before) << i;
    before = pause;
  }
  for (int i = 0; i < 20; ++i) {
    EXPECT_LE(policy.lost(TimePoint{}), ReconnectPolicy::kBackoff.longest);
  }
  EXPECT_GE(policy.lost(TimePoint{}), ReconnectPolicy::kBackoff.longest / 2);
}

TEST(RedisReconnect, AStableConnectionResetsTheBackoff) {
  ReconnectPolicy policy(7);
  for (int i = 0; i < 10; ++i) {
    (void)policy.lost(TimePoint{});
  }
  policy.connected(TimePoint{});
  EXPECT_LE(policy.lost(TimePoint{} + ReconnectPolicy::kStable), ReconnectPolicy::kBackoff.first);
}

TEST(RedisReconnect, AConnectionThatDiesYoungDoesNot) {
  ReconnectPolicy policy(7);
  for (int i = 0; i < 10; ++i) {
    (void)policy.lost(TimePoint{});
  }
  policy.connected(TimePoint{});
  EXPECT_GE(policy.lost(TimePoint{} + ReconnectPolicy::kStable - 1ms),
            ReconnectPolicy::kBackoff.longest / 2);
  // The length of an earlier connection does not count for a later failure.
  EXPECT_GE(policy.lost(TimePoint{} + 1h), ReconnectPolicy::kBackoff.longest / 2);
}

}  // namespace
}  // namespace sensus::redis
