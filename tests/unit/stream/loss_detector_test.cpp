#include "stream/loss_detector_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::stream {
namespace {

GroupState group(std::optional<std::int64_t> lag, const std::string& last = "5-0",
                 std::int64_t read = 4) {
  GroupState state;
  state.name = "g";
  state.last_delivered = last;
  state.entries_read = read;
  state.lag = lag;
  return state;
}

TEST(LossDetector, LagThatStaysWhileReadsAreEmptyIsLoss) {
  LossDetector detector;
  EXPECT_EQ(detector.saw_nothing(group(2)), 0);
  EXPECT_EQ(detector.saw_nothing(group(2)), 2);
}

TEST(LossDetector, AnEntryThatCameBetweenReadAndLookIsNone) {
  LossDetector detector;
  EXPECT_EQ(detector.saw_nothing(group(1)), 0);
  detector.saw_entries();
  EXPECT_EQ(detector.saw_nothing(group(1)), 0);
  EXPECT_EQ(detector.saw_nothing(group(0)), 0);
  EXPECT_EQ(detector.saw_nothing(group(1)), 0);
}

TEST(LossDetector, AnotherConsumersProgressStartsAnew) {
  LossDetector detector;
  EXPECT_EQ(detector.saw_nothing(group(3, "5-0", 4)), 0);
  EXPECT_EQ(detector.saw_nothing(group(3, "6-0", 5)), 0);
  EXPECT_EQ(detector.saw_nothing(group(3, "6-0", 5)), 3);
}

TEST(LossDetector, CountsOnlyWhatWasThereAtTheFirstLook) {
  LossDetector detector;
  EXPECT_EQ(detector.saw_nothing(group(2)), 0);
  EXPECT_EQ(detector.saw_nothing(group(5)), 2);
}

TEST(LossDetector, UnknownLagIsNoLoss) {
  LossDetector detector;
  EXPECT_EQ(detector.saw_nothing(group(std::nullopt)), 0);
  EXPECT_EQ(detector.saw_nothing(group(std::nullopt)), 0);
}

}  // namespace
}  // namespace sensus::stream
