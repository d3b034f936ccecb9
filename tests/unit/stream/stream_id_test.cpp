#include "stream/stream_id_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::stream {
namespace {

TEST(StreamIds, ReadsWhatRedisWrites) {
  EXPECT_EQ(parse_stream_id("1795167960674-12"), (StreamId{1795167960674, 12}));
  EXPECT_EQ(parse_stream_id("7"), (StreamId{7, 0}));
  EXPECT_EQ(parse_stream_id("18446744073709551615-18446744073709551615"), (StreamId{~0ULL, ~0ULL}));
  EXPECT_EQ(render_stream_id({5, 6}), "5-6");
}

TEST(StreamIds, RefusesAnythingElse) {
  for (const char* bad : {"", "-", "1-", "-1", "a-1", "1-b", "1-2-3", " 1-2", "1-2 ", "+1-2",
                          "0x1-2", "18446744073709551616-0", "$", ">"}) {
    EXPECT_FALSE(parse_stream_id(bad)) << bad;
  }
}

TEST(StreamIds, OrderIsByNumberNotByText) {
  EXPECT_LT((StreamId{9, 0}), (StreamId{10, 0}));
  EXPECT_LT((StreamId{10, 9}), (StreamId{10, 10}));
}

}  // namespace
}  // namespace sensus::stream
