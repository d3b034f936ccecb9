#include "sensus/codec/remote_read.hpp"

#include "remote_write_writer.hpp"
#include "sensus/codec/snappy_block.hpp"

#include <gtest/gtest.h>

namespace sensus::codec {
namespace {

using model::SeriesMatchOp;
using test::Proto;

std::string matcher(std::uint64_t op, const std::string& name, const std::string& value) {
  return Proto().varint(1, op).bytes(2, name).bytes(3, value).text();
}

std::string query(const std::string& inner, std::uint64_t from_ms = 1000,
                  std::uint64_t to_ms = 2000) {
  return Proto().varint(1, from_ms).varint(2, to_ms).bytes(3, inner).text();
}

std::string request(const std::string& inner) { return Proto().bytes(1, inner).text(); }

Errc refusal(const std::string& message) {
  const auto parsed = parse_remote_read(message);
  EXPECT_FALSE(parsed.has_value());
  return parsed ? Errc::internal : parsed.error().code;
}

TEST(RemoteRead, ReadsQueries) {
  const std::string name = matcher(0, "__name__", "up");
  const std::string hints = Proto().varint(1, 15'000).bytes(2, "rate").text();
  const std::string two = request(Proto()
                                      .bytes(3, name)
                                      .bytes(3, matcher(3, "job", "a|b"))
                                      .varint(1, 5)
                                      .varint(2, 9)
                                      .bytes(4, hints)
                                      .text()) +
                          request(query(matcher(2, "job", ".+"))) +
                          Proto().bytes(2, std::string("\1\0", 2)).text();
  const auto parsed = parse_remote_read(two);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 2U);
  EXPECT_EQ((*parsed)[0].selector, (model::Selector{{"__name__", SeriesMatchOp::equal, "up"},
                                                    {"job", SeriesMatchOp::not_regex, "a|b"}}));
  EXPECT_EQ(to_unix_us((*parsed)[0].from), 5000);
  EXPECT_EQ(to_unix_us((*parsed)[0].to), 10'000) << "both ends belong to the question";
  EXPECT_EQ((*parsed)[1].selector, (model::Selector{{"job", SeriesMatchOp::regex, ".+"}}));
}

TEST(RemoteRead, TimesBeyondOursAreCut) {
  const auto parsed = parse_remote_read(
      request(query(matcher(0, "a", "b"), static_cast<std::uint64_t>(INT64_MIN), INT64_MAX)));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(to_unix_us(parsed->front().from), 0);
  EXPECT_GT(to_unix_us(parsed->front().to), 253'402'300'000'000'000);
}

TEST(RemoteRead, RefusesWhatItCannotAnswer) {
  const std::string good = query(matcher(0, "a", "b"));
  EXPECT_EQ(refusal(""), Errc::invalid_input);
  EXPECT_EQ(refusal("\x0a\x7f"), Errc::invalid_input);
  EXPECT_EQ(refusal(request("\x1a\x7f")), Errc::invalid_input);
  EXPECT_EQ(refusal(request(Proto().varint(1, 5).text())), Errc::invalid_input) << "no matcher";
  EXPECT_EQ(refusal(request(query(matcher(4, "a", "b")))), Errc::invalid_input);
  EXPECT_EQ(refusal(request(query(matcher(0, "", "b")))), Errc::invalid_input);
  EXPECT_EQ(refusal(request(query(matcher(0, "a", "\xFF")))), Errc::invalid_input);
  EXPECT_EQ(refusal(request(good) + Proto().varint(2, 1).text()), Errc::unsupported)
      << "streamed chunks only";
  EXPECT_TRUE(
      parse_remote_read(request(good) + Proto().varint(2, 1).varint(2, 0).text()).has_value());
  std::string many;
  for (std::size_t i = 0; i < kRemoteReadQueriesMax; ++i) {
    many += request(good);
  }
  EXPECT_TRUE(parse_remote_read(many).has_value());
  EXPECT_EQ(refusal(many + request(good)), Errc::too_large);
  EXPECT_EQ(refusal(request(query(matcher(0, "a", std::string(model::kSelectorBytesMax, 'x'))))),
            Errc::too_large);
}

TEST(RemoteRead, AnswersAreSortedByLabelsAndHaveEachMillisecondOnce) {
  RemoteReadAnswer answer;
  answer.add_series(
      "up", {{"job", "b"}},
      {{from_unix_us(1'000'000), 1}, {from_unix_us(1'000'900), 2}, {from_unix_us(1'001'000), 3}});
  answer.add_series("up", {{"Job", "a"}}, {});
  answer.end_query();
  answer.end_query();
  const auto label = [](const std::string& name, const std::string& value) {
    return Proto().bytes(1, name).bytes(2, value).text();
  };
  const auto sample = [](double value, std::uint64_t ms) {
    return Proto().number(1, value).varint(2, ms).text();
  };
  const std::string first =
      Proto().bytes(1, label("Job", "a")).bytes(1, label("__name__", "up")).text();
  const std::string second = Proto()
                                 .bytes(1, label("__name__", "up"))
                                 .bytes(1, label("job", "b"))
                                 .bytes(2, sample(2, 1000))
                                 .bytes(2, sample(3, 1001))
                                 .text();
  EXPECT_EQ(answer.message(),
            Proto().bytes(1, Proto().bytes(1, first).bytes(1, second).text()).bytes(1, "").text());
  EXPECT_EQ(answer.bytes(), first.size() + second.size());
}

TEST(RemoteRead, WhatIsPackedUnpacks) {
  for (const std::string& text : {std::string(), std::string("a"), std::string(100'000, 'x')}) {
    const auto unpacked = unpack_snappy(pack_snappy(text), 1 << 20);
    ASSERT_TRUE(unpacked.has_value());
    EXPECT_EQ(*unpacked, text);
  }
}

}  // namespace
}  // namespace sensus::codec
