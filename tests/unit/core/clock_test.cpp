#include "sensus/core/clock.hpp"
#include "sensus/core/deadline.hpp"

#include <gtest/gtest.h>

namespace sensus {
namespace {

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock(from_unix_us(1'000'000));
  const auto steady = clock.steady_now();
  EXPECT_EQ(clock.now(), from_unix_us(1'000'000));
  clock.advance(1500ms);
  EXPECT_EQ(clock.now(), from_unix_us(2'500'000));
  EXPECT_EQ(clock.steady_now() - steady, 1500ms) << "both faces move together";
}

TEST(SystemClock, IsTheSystemsTime) {
  const SystemClock clock;
  const auto before = std::chrono::system_clock::now();
  const Timestamp now = clock.now();
  EXPECT_GE(now + std::chrono::microseconds{1}, std::chrono::time_point_cast<std::chrono::microseconds>(before));
  const auto first = clock.steady_now();
  EXPECT_GE(clock.steady_now(), first);
}

TEST(Deadline, NeverIsNever) {
  EXPECT_FALSE(Deadline::never().expired());
  EXPECT_EQ(Deadline::never().remaining(), Duration::max());
}

TEST(Deadline, ThePastHasNothingLeft) {
  const Deadline past = Deadline::after(-1s);
  EXPECT_TRUE(past.expired());
  EXPECT_EQ(past.remaining(), Duration::zero());
}

TEST(Deadline, TheEarlierOneWins) {
  const Deadline soon = Deadline::after(1s);
  const Deadline later = Deadline::after(1h);
  EXPECT_EQ(min(soon, later).at(), soon.at());
  EXPECT_EQ(min(Deadline::never(), later).at(), later.at());
  EXPECT_GT(later.remaining(), 59min);
}

}  // namespace
}  // namespace sensus
