#include "redis/protocol_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::redis {
namespace {
using namespace std::string_view_literals;

Reply parse_one(std::string_view bytes) {
  ReplyReader reader;
  EXPECT_TRUE(reader.feed(bytes));
  Result<std::optional<Reply>> reply = reader.next();
  EXPECT_TRUE(reply && *reply) << bytes;
  return reply && *reply ? **reply : Reply{};
}

Errc failure_of(std::string_view bytes, ReplyReader::Limits limits = {}) {
  ReplyReader reader(limits);
  if (Result<> fed = reader.feed(bytes); !fed) {
    return fed.error().code;
  }
  for (int i = 0; i < 100; ++i) {
    Result<std::optional<Reply>> reply = reader.next();
    if (!reply) {
      return reply.error().code;
    }
    if (!*reply) {
      return Errc::not_found;  // Waits for more: no failure.
    }
  }
  return Errc::not_found;
}

TEST(RedisProtocol, CommandsCarryAnyBytes) {
  std::string out;
  append_command(out, {"SET", std::string("k\0y", 3), "a\r\nb", ""});
  append_command(out, {"PING"});
  EXPECT_EQ(out,
            "*4\r\n$3\r\nSET\r\n$3\r\nk\0y\r\n$4\r\na\r\nb\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n"sv);
}

TEST(RedisProtocol, ReadsEveryKindOfReply) {
  EXPECT_EQ(*parse_one("+OK\r\n").text(), "OK");
  EXPECT_EQ(*parse_one(":-42\r\n").integer(), -42);
  EXPECT_EQ(*parse_one("$3\r\na\0b\r\n"sv).text(), "a\0b"sv);
  EXPECT_TRUE(parse_one("$-1\r\n").is_nil());
  EXPECT_TRUE(parse_one("*-1\r\n").is_nil());
  EXPECT_EQ(parse_one("-NOGROUP No such key\r\n").error()->text, "NOGROUP No such key");
  EXPECT_TRUE(parse_one("*0\r\n").array()->empty());
}

TEST(RedisProtocol, KeepsNilBodiesInsideArrays) {
  const Reply reply = parse_one(
      "*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n*2\r\n$3\r\n2-1\r\n*2\r\n$1\r\nf\r\n$"
      "1\r\nv\r\n");
  const Reply::Array& entries = *(*(*reply.array())[0].array())[1].array();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(*(*entries[0].array())[0].text(), "1-1");
  EXPECT_TRUE((*entries[0].array())[1].is_nil());
  EXPECT_EQ(*(*(*entries[1].array())[1].array())[1].text(), "v");
}

TEST(RedisProtocol, ReadsRepliesCutAnywhere) {
  const std::string bytes = "*3\r\n$2\r\nab\r\n*2\r\n:1\r\n$-1\r\n-ERR no\r\n+next\r\n";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    ReplyReader reader;
    std::vector<Reply> replies;
    for (const std::string& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      ASSERT_TRUE(reader.feed(part));
      while (true) {
        Result<std::optional<Reply>> reply = reader.next();
        ASSERT_TRUE(reply) << cut;
        if (!*reply) {
          break;
        }
        replies.push_back(std::move(**reply));
      }
    }
    ASSERT_EQ(replies.size(), 2U) << cut;
    EXPECT_EQ((*replies[0].array())[2].error()->text, "ERR no");
    EXPECT_EQ(*replies[1].text(), "next");
  }
}

TEST(RedisProtocol, RefusesWhatIsNoResp) {
  EXPECT_EQ(failure_of("HTTP/1.1 400 Bad Request\r\n\r\n"), Errc::corrupt);
  EXPECT_EQ(failure_of(std::string_view("\0\0\0\0\0\0", 6)), Errc::corrupt);
  EXPECT_EQ(failure_of("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
            Errc::corrupt);
  EXPECT_EQ(failure_of("$-2\r\n"), Errc::corrupt);
  EXPECT_EQ(failure_of("*99999999999999\r\n"), Errc::corrupt);
}

TEST(RedisProtocol, AHeaderOfAGigabyteAllocatesNothingAndIsCappedByWhatArrives) {
  EXPECT_EQ(failure_of("$1073741824\r\nabc", {.bytes = 100, .elements = 10}), Errc::not_found);
  EXPECT_EQ(failure_of("$1073741824\r\n" + std::string(100, 'x'), {.bytes = 100, .elements = 10}),
            Errc::too_large);
  EXPECT_EQ(failure_of("*2000000000\r\n:1\r\n"), Errc::not_found);
}

TEST(RedisProtocol, CapsElementsAtTheLimit) {
  EXPECT_EQ(failure_of("*3\r\n:1\r\n:1\r\n:1\r\n", {.bytes = 1000, .elements = 4}),
            Errc::not_found);
  EXPECT_EQ(failure_of("*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n", {.bytes = 1000, .elements = 4}),
            Errc::too_large);
}

TEST(RedisProtocol, LimitsCountForOneReplyNotForTheConnection) {
  std::string many;
  for (int i = 0; i < 50; ++i) {
    many += "*2\r\n:1\r\n:2\r\n";
  }
  EXPECT_EQ(failure_of(many, {.bytes = 1000, .elements = 3}), Errc::not_found);
}

TEST(RedisProtocol, CodeOfAnErrorIsItsFirstWord) {
  EXPECT_EQ(error_code_of("OOM command not allowed"), "OOM");
  EXPECT_EQ(error_code_of("LOADING"), "LOADING");
  EXPECT_EQ(error_code_of(""), "");
}

}  // namespace
}  // namespace sensus::redis
