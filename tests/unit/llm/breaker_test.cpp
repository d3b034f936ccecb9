#include "sensus/llm/ollama.hpp"

#include <gtest/gtest.h>

namespace sensus::llm {
namespace {

using State = Breaker::State;

class BreakerTest : public testing::Test {
 protected:
  [[nodiscard]] std::chrono::steady_clock::time_point now() const { return clock_.steady_now(); }
  void open() {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(breaker_.try_acquire(now()));
      breaker_.on_failure(now());
    }
    ASSERT_EQ(breaker_.state(now()), State::open);
  }
  ManualClock clock_{from_unix_us(0)};
  Breaker breaker_{3, 30s};
};

TEST_F(BreakerTest, OpensAtTheLimitAndNotBefore) {
  breaker_.on_failure(now());
  breaker_.on_failure(now());
  EXPECT_EQ(breaker_.state(now()), State::closed);
  EXPECT_TRUE(breaker_.try_acquire(now()));
  breaker_.on_failure(now());
  EXPECT_EQ(breaker_.state(now()), State::open);
  EXPECT_FALSE(breaker_.try_acquire(now()));
}

TEST_F(BreakerTest, OnlyFailuresInARowCount) {
  breaker_.on_failure(now());
  breaker_.on_failure(now());
  breaker_.on_success();
  breaker_.on_failure(now());
  breaker_.on_failure(now());
  EXPECT_EQ(breaker_.state(now()), State::closed);
}

TEST_F(BreakerTest, AfterThePauseOneProbeAtATime) {
  open();
  clock_.advance(29'999ms);
  EXPECT_FALSE(breaker_.try_acquire(now()));
  clock_.advance(1ms);
  EXPECT_EQ(breaker_.state(now()), State::half_open);
  EXPECT_TRUE(breaker_.try_acquire(now()));
  EXPECT_FALSE(breaker_.try_acquire(now()));
  EXPECT_EQ(breaker_.state(now()), State::half_open);
}

TEST_F(BreakerTest, AFailedProbeOpensForAnotherPause) {
  open();
  clock_.advance(30s);
  ASSERT_TRUE(breaker_.try_acquire(now()));
  breaker_.on_failure(now());
  EXPECT_EQ(breaker_.state(now()), State::open);
  clock_.advance(29s);
  EXPECT_FALSE(breaker_.try_acquire(now()));
  clock_.advance(1s);
  EXPECT_TRUE(breaker_.try_acquire(now()));
}

TEST_F(BreakerTest, AGoodProbeClosesAndTheCountStartsAnew) {
  open();
  clock_.advance(30s);
  ASSERT_TRUE(breaker_.try_acquire(now()));
  breaker_.on_success();
  EXPECT_EQ(breaker_.state(now()), State::closed);
  breaker_.on_failure(now());
  breaker_.on_failure(now());
  EXPECT_EQ(breaker_.state(now()), State::closed);
}

TEST_F(BreakerTest, AnAbandonedProbeLeavesRoomForTheNext) {
  open();
  clock_.advance(30s);
  ASSERT_TRUE(breaker_.try_acquire(now()));
  breaker_.on_abandoned();
  EXPECT_TRUE(breaker_.try_acquire(now()));
}

}  // namespace
}  // namespace sensus::llm
