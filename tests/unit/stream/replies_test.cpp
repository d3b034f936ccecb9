#include "stream/replies_internal.hpp"

#include "redis/protocol_internal.hpp"
#include "stream/janitor_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::stream {
namespace {

/// From what redis-cli would show, as bytes of the protocol: the shapes are those of Redis 7.0.
redis::Reply wire(const std::string& bytes) {
  redis::ReplyReader reader;
  EXPECT_TRUE(reader.feed(bytes));
  Result<std::optional<redis::Reply>> reply = reader.next();
  EXPECT_TRUE(reply && *reply) << bytes;
  return reply && *reply ? std::move(**reply) : redis::Reply{};
}

redis::Reply flat(const std::vector<std::pair<std::string, redis::Reply>>& fields) {
  redis::Reply::Array array;
  for (const auto& [name, value] : fields) {
    array.push_back(redis::Reply{name});
    array.push_back(value);
  }
  return redis::Reply{std::move(array)};
}
redis::Reply number(std::int64_t n) { return redis::Reply{n}; }
redis::Reply text(const std::string& t) { return redis::Reply{t}; }

TEST(StreamReplies, ErrorsThatMeanTheGroupIsGone) {
  EXPECT_EQ(check_reply(wire("-NOGROUP No such key\r\n")).error().code, Errc::not_found);
  EXPECT_EQ(check_reply(wire("-UNBLOCKED the stream key no longer exists\r\n")).error().code,
            Errc::not_found);
  EXPECT_EQ(check_reply(wire("-OOM command not allowed\r\n")).error().code, Errc::unavailable);
  EXPECT_TRUE(check_reply(wire("+OK\r\n")));
}

TEST(StreamReplies, ReadKeepsEntriesWithoutBodies) {
  Result<std::vector<RawEntry>> entries = parse_read(
      wire("*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n*2\r\n$3\r\n2-1\r\n*0\r\n"));
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_TRUE((*entries)[0].fields.is_nil());
  EXPECT_EQ((*entries)[1].id, "2-1");
  EXPECT_TRUE(parse_read(wire("*-1\r\n"))->empty());
  EXPECT_EQ(parse_read(wire(":1\r\n")).error().code, Errc::corrupt);
  EXPECT_EQ(parse_read(wire("*1\r\n*2\r\n$1\r\ns\r\n*1\r\n:5\r\n")).error().code, Errc::corrupt);
}

TEST(StreamReplies, AutoclaimTellsWhatWasDeleted) {
  Result<Claimed> claimed = parse_autoclaim(
      wire("*3\r\n$3\r\n0-0\r\n*1\r\n*2\r\n$3\r\n3-0\r\n*0\r\n*2\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n"));
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->next, "0-0");
  EXPECT_EQ(claimed->entries.size(), 1U);
  EXPECT_EQ(claimed->deleted, (std::vector<std::string>{"1-0", "2-0"}));
  EXPECT_EQ(parse_autoclaim(wire("*1\r\n$1\r\nx\r\n")).error().code, Errc::corrupt);
}

TEST(StreamReplies, GroupsWithAndWithoutLag) {
  redis::Reply::Array rows;
  rows.push_back(flat({{"name", text("g")},
                       {"consumers", number(1)},
                       {"pending", number(2)},
                       {"last-delivered-id", text("5-1")},
                       {"entries-read", number(4)},
                       {"lag", number(3)}}));
  rows.push_back(flat({{"name", text("h")},
                       {"pending", number(0)},
                       {"last-delivered-id", text("0-0")},
                       {"entries-read", redis::Reply{}},
                       {"lag", redis::Reply{}}}));
  Result<std::vector<GroupState>> groups = parse_groups(redis::Reply{rows});
  ASSERT_TRUE(groups);
  ASSERT_EQ(groups->size(), 2U);
  EXPECT_EQ((*groups)[0].lag, 3);
  EXPECT_EQ((*groups)[0].entries_read, 4);
  EXPECT_EQ((*groups)[0].pending, 2);
  EXPECT_EQ((*groups)[1].lag, std::nullopt);
  EXPECT_TRUE(parse_groups(wire("-ERR no such key\r\n"))->empty());
}

TEST(StreamReplies, Pending) {
  EXPECT_EQ(*parse_least_pending(wire("*4\r\n:2\r\n$3\r\n1-5\r\n$3\r\n9-0\r\n*0\r\n")),
            (StreamId{1, 5}));
  EXPECT_EQ(*parse_least_pending(wire("*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n")), std::nullopt);
  EXPECT_EQ(*parse_deliveries(wire("*1\r\n*4\r\n$3\r\n1-5\r\n$1\r\nc\r\n:100\r\n:7\r\n")), 7);
  EXPECT_EQ(*parse_deliveries(wire("*0\r\n")), 0);
}

TEST(StreamReplies, LastGenerated) {
  EXPECT_EQ(
      *parse_last_generated(flat({{"length", number(0)}, {"last-generated-id", text("8-1")}})),
      (StreamId{8, 1}));
  EXPECT_EQ(*parse_last_generated(wire("-ERR no such key\r\n")), std::nullopt);
}

TEST(StreamReplies, Trimmed) {
  EXPECT_EQ(parse_trimmed(flat({{"length", number(10)}, {"entries-added", number(25)}})), 15);
  EXPECT_EQ(parse_trimmed(flat({{"length", number(10)}})), 0);
  EXPECT_EQ(parse_trimmed(wire("-ERR no such key\r\n")), 0);
}

TEST(StreamReplies, ConsumersLeftOver) {
  redis::Reply::Array rows;
  rows.push_back(flat({{"name", text("old")}, {"pending", number(0)}, {"idle", number(5000)}}));
  rows.push_back(flat({{"name", text("owes")}, {"pending", number(1)}, {"idle", number(5000)}}));
  rows.push_back(flat({{"name", text("fresh")}, {"pending", number(0)}, {"idle", number(4999)}}));
  EXPECT_EQ(*parse_idle_consumers(redis::Reply{rows}, 5000), std::vector<std::string>{"old"});
}

TEST(TrimPoint, IsTheLeastOfWhatAllGroupsHaveDone) {
  EXPECT_EQ(trim_point({}), std::nullopt);
  EXPECT_EQ(trim_point({{{9, 0}, std::nullopt}}), (StreamId{9, 0}));
  EXPECT_EQ(trim_point({{{9, 0}, StreamId{4, 2}}}), (StreamId{4, 2}));
  EXPECT_EQ(trim_point({{{9, 0}, StreamId{4, 2}}, {{3, 0}, std::nullopt}}), (StreamId{3, 0}));
  EXPECT_EQ(trim_point({{{9, 0}, std::nullopt}, {{0, 0}, std::nullopt}}), (StreamId{0, 0}));
}

TEST(EvictionPolicy, IsReadFromInfo) {
  EXPECT_EQ(eviction_policy("# Memory\r\nused_memory:1\r\nmaxmemory_policy:allkeys-lru\r\nx:y\r\n"),
            "allkeys-lru");
  EXPECT_EQ(eviction_policy("# Memory\r\n"), "");
}

}  // namespace
}  // namespace sensus::stream
