#include "api_fixture.hpp"

#include "sensus/codec/snappy_block.hpp"
#include "unit/codec/remote_write_writer.hpp"

namespace sensus::api::test {
namespace {

using codec::test::Proto;

std::string question() {
  const std::string matcher = Proto().varint(1, 2).bytes(2, "job").bytes(3, "a.*").text();
  return Proto().bytes(1, Proto().varint(1, 1000).varint(2, 2000).bytes(3, matcher).text()).text();
}

class RemoteReadRoute : public ApiTest {
 protected:
  http::Response read(const std::string& body, const char* encoding = "snappy") {
    http::Headers headers;
    headers.add("Content-Type", "application/x-protobuf");
    headers.add("Content-Encoding", encoding);
    return call(http::Method::post, "/api/v1/read", {}, body, headers);
  }
};

TEST_F(RemoteReadRoute, AnswersWithASnappyBlockOfSamples) {
  world.samples.read_series.push_back({make_series(1), {{from_unix_us(1'500'000), 7}}});
  const auto response = read(codec::pack_snappy(question() + question()));
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.content_type, "application/x-protobuf");
  EXPECT_EQ(response.headers.get("Content-Encoding"), "snappy");
  const auto message = codec::unpack_snappy(response.body, 1 << 20);
  ASSERT_TRUE(message.has_value());
  EXPECT_NE(message->find("latency_seconds"), std::string::npos);
  ASSERT_EQ(world.samples.seen_reads.size(), 2U);
  const auto& asked = world.samples.seen_reads[0];
  EXPECT_EQ(asked.selector, (model::Selector{{"job", model::SeriesMatchOp::regex, "a.*"}}));
  EXPECT_EQ(to_unix_us(asked.to), 2'001'000);
  EXPECT_EQ(world.samples.seen_reads[1].samples_max + 1, asked.samples_max)
      << "the limit is one of the whole request";
}

TEST_F(RemoteReadRoute, AStaleMarkerStandsWhereASeriesEnded) {
  const std::string marker = "\x09" + std::string("\x02\0\0\0\0\0\xf0\x7f", 8);
  const auto markers = [&](std::optional<std::int64_t> ended_us, std::int64_t last_us) {
    auto series = make_series(1);
    series.ended_at = ended_us ? std::optional(from_unix_us(*ended_us)) : std::nullopt;
    world.samples.read_series = {{series, {{from_unix_us(last_us), 7}}}};
    const auto message = codec::unpack_snappy(read(codec::pack_snappy(question())).body, 1 << 20).value();
    const std::size_t at = message.find(marker);
    return at == std::string::npos ? 0 : message.find(marker, at + 1) == std::string::npos ? 1 : 2;
  };
  EXPECT_EQ(markers(1'600'000, 1'500'000), 1);
  EXPECT_EQ(markers(2'000'999, 1'500'000), 1) << "the last millisecond belongs to the question";
  EXPECT_EQ(markers(std::nullopt, 1'500'000), 0);
  EXPECT_EQ(markers(2'001'000, 1'500'000), 0) << "after what was asked for";
  EXPECT_EQ(markers(1'500'000, 1'500'000), 0) << "never two samples of one time";
  EXPECT_EQ(markers(1'600'000, 1'700'000), 0) << "a later sample follows";
}

TEST_F(RemoteReadRoute, RefusesWhatItDoesNotSpeak) {
  expect_problem(read(question(), "identity"), 415);
  expect_problem(read("\x7f not snappy"), 400);
  expect_problem(read(codec::pack_snappy("\x0a\x7f")), 400);
  expect_problem(read(codec::pack_snappy(question() + Proto().varint(2, 1).text())), 415);
  expect_problem(read(codec::pack_snappy(std::string(2 << 20, 'x'))), 413);
  world.samples.error = make_error(Errc::invalid_input, "more than 5 samples");
  expect_problem(read(codec::pack_snappy(question())), 400);
  world.samples.error = make_error(Errc::unavailable, "away");
  expect_problem(read(codec::pack_snappy(question())), 503);
}

}  // namespace
}  // namespace sensus::api::test
