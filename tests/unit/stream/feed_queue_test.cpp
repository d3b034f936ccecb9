#include "stream/feed_queue_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::stream {
namespace {

void push(FeedQueue& queue, std::uint64_t n) {
  queue.push({n, 0}, Entry{std::to_string(n) + "-0", {}});
}
std::vector<std::string> taken(FeedQueue& queue) {
  std::vector<std::string> ids;
  for (const Entry& entry : queue.take()) {
    ids.push_back(entry.stream_id);
  }
  return ids;
}
using Ids = std::vector<std::string>;

TEST(FeedQueue, LiveEntriesComeInOrderOnce) {
  FeedQueue queue(10, std::nullopt);
  push(queue, 1);
  push(queue, 2);
  EXPECT_EQ(taken(queue), (Ids{"1-0", "2-0"}));
  EXPECT_EQ(taken(queue), Ids{});
}

TEST(FeedQueue, OverflowClosesALiveReaderAtLimitPlusOne) {
  FeedQueue queue(2, std::nullopt);
  push(queue, 1);
  push(queue, 2);
  EXPECT_FALSE(queue.overflowed());
  push(queue, 3);
  EXPECT_TRUE(queue.overflowed());
  EXPECT_EQ(taken(queue), Ids{});
}

TEST(FeedQueue, NothingIsLostOrDoubledAtTheSeam) {
  FeedQueue queue(10, StreamId{1, 0});
  push(queue, 3);  // Live, and in the page as well.
  push(queue, 4);  // Live, after the page was read.
  EXPECT_EQ(taken(queue), Ids{});
  queue.replayed(StreamId{3, 0}, true);
  EXPECT_FALSE(queue.replaying());
  EXPECT_EQ(taken(queue), Ids{"4-0"});
}

TEST(FeedQueue, ALiveEntryThatArrivesAfterItsReplayIsSkipped) {
  FeedQueue queue(10, StreamId{1, 0});
  queue.replayed(StreamId{3, 0}, true);
  push(queue, 2);
  push(queue, 3);
  push(queue, 4);
  EXPECT_EQ(taken(queue), Ids{"4-0"});
  // Past the seam lower ids are accepted: a flushed stream may begin again below.
  push(queue, 1);
  EXPECT_EQ(taken(queue), Ids{"1-0"});
}

TEST(FeedQueue, AFullPageMeansMoreReplay) {
  FeedQueue queue(10, StreamId{});
  queue.replayed(StreamId{5, 0}, false);
  EXPECT_TRUE(queue.replaying());
  EXPECT_EQ(queue.cursor(), (StreamId{5, 0}));
}

TEST(FeedQueue, OverflowWhileReplayingCostsOneMorePage) {
  FeedQueue queue(2, StreamId{1, 0});
  push(queue, 2);
  push(queue, 3);
  push(queue, 4);
  EXPECT_FALSE(queue.overflowed());
  queue.replayed(StreamId{2, 0}, true);
  EXPECT_TRUE(queue.replaying());
  push(queue, 5);
  queue.replayed(StreamId{5, 0}, true);
  EXPECT_FALSE(queue.replaying());
  EXPECT_EQ(taken(queue), Ids{});
}

TEST(FeedQueue, AnEmptyReplayGoesLiveAtOnce) {
  FeedQueue queue(2, StreamId{9, 0});
  queue.replayed(std::nullopt, true);
  push(queue, 10);
  EXPECT_EQ(taken(queue), Ids{"10-0"});
}

TEST(FeedQueue, ACursorAheadOfTheStreamStartsItOver) {
  FeedQueue queue(10, StreamId{900, 0});
  push(queue, 5);
  queue.stream_ends_at(StreamId{5, 0});
  queue.replayed(std::nullopt, true);
  EXPECT_TRUE(queue.replaying());
  EXPECT_EQ(queue.cursor(), StreamId{});
  queue.replayed(StreamId{5, 0}, true);
  push(queue, 6);
  EXPECT_EQ(taken(queue), Ids{"6-0"});
}

TEST(FeedQueue, ACursorAtTheEndOfTheStreamStays) {
  FeedQueue queue(10, StreamId{5, 0});
  queue.stream_ends_at(StreamId{5, 0});
  queue.replayed(std::nullopt, true);
  EXPECT_FALSE(queue.replaying());
  push(queue, 6);
  EXPECT_EQ(taken(queue), Ids{"6-0"});
}

}  // namespace
}  // namespace sensus::stream
