#include "conformance.hpp"

#include <cmath>

// What https://prometheus.io/docs/specs/prw/ asks of a receiver, a test a sentence.

namespace sensus::api::test {
namespace {

using namespace codec::test;  // The writer of protobuf.

constexpr const char* kV2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const Pairs kUp{{"__name__", "up"}, {"job", "node"}};

class RemoteWrite : public Conformance {
 protected:
  /// As Prometheus does.
  http::test::RawResponse write(const std::string& message,
                                const std::string& type = "application/x-protobuf") {
    return send(snappy(message), type, "snappy");
  }
  http::test::RawResponse send(const std::string& body, const std::string& type,
                               const std::string& encoding) {
    return post("/api/v1/write",
                {{"Content-Encoding", encoding},
                 {"Content-Type", type},
                 {"User-Agent", "Prometheus/2.42.0"},
                 {"X-Prometheus-Remote-Write-Version", type == kV2 ? "2.0.0" : "0.1.0"}},
                body);
  }
  static Texts counts(const http::test::RawResponse& reply) {
    Texts out;
    for (const char* kind : {"samples", "histograms", "exemplars"}) {
      out.push_back(reply.header(std::string("x-prometheus-remote-write-") + kind + "-written"));
    }
    return out;
  }
  [[nodiscard]] std::string one() const {
    return request_v1({series_v1(kUp, {sample(1, now_ms())})});
  }
};
class RemoteWrite1 : public RemoteWrite {};
class RemoteWrite2 : public RemoteWrite {
 protected:
  http::test::RawResponse write2(const std::vector<std::string>& series) {
    return write(request_v2(symbols, series), kV2);
  }
  std::vector<std::string> symbols{"", "__name__", "up", "job", "node", "the help", "seconds"};
};

TEST_F(RemoteWrite1, SuccessIs204WithoutABody) {
  const auto reply = write(one());
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.body, "");
  EXPECT_EQ(stored(), Texts{"up{job=node}"});
}

TEST_F(RemoteWrite1, TheBodyIsASnappyBlockAndNotTheFramedFormat) {
  EXPECT_EQ(
      send(std::string("\xff\x06\x00\x00sNaPpY", 10) + one(), "application/x-protobuf", "snappy")
          .status,
      400);
  EXPECT_EQ(send(one(), "application/x-protobuf", "snappy").status, 400) << "not packed at all";
}

TEST_F(RemoteWrite1, FieldsOfTomorrowAreSkipped) {
  EXPECT_EQ(write(Proto().varint(99, 7).bytes(98, "x").text() + one()).status, 204);
  EXPECT_EQ(stored().size(), 1U);
}

TEST_F(RemoteWrite1, MetadataIsTakenAndNeverFails) {
  const std::string metadata = Proto().varint(1, 1).bytes(2, "up").bytes(4, "help").text();
  EXPECT_EQ(write(one() + Proto().bytes(3, metadata).bytes(3, "broken").text()).status, 204);
  ASSERT_EQ(world.flow.metadata.size(), 1U);
  EXPECT_EQ(world.flow.metadata[0].family, "up");
  EXPECT_EQ(metric("sensus_api_metadata_refused_total"), 1);
}

TEST_F(RemoteWrite1, ExemplarsAndNativeHistogramsNeverFail) {
  const std::string series = series_v1(kUp, {sample(1, now_ms())}) +
                             Proto().bytes(3, "").bytes(4, "").bytes(4, "any").text();
  const auto reply = write(Proto().bytes(1, series).text());
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(counts(reply), (Texts{"1", "0", "0"}));
  EXPECT_EQ(metric("sensus_api_remote_write_skipped_histograms_total"), 2);
  EXPECT_EQ(metric("sensus_api_remote_write_skipped_exemplars_total"), 1);
}

TEST_F(RemoteWrite1, ClassicHistogramsArePlainSeries) {
  EXPECT_EQ(write(request_v1({series_v1({{"__name__", "h_bucket"}, {"le", "+Inf"}},
                                        {sample(3, now_ms())})}))
                .status,
            204);
  EXPECT_EQ(stored(), Texts{"h_bucket{le=+Inf}"});
}

TEST_F(RemoteWrite1, LabelsNeedANameEachOnceAndTheMetrics) {
  for (const Pairs& bad :
       {Pairs{{"job", "node"}}, Pairs{{"__name__", "up"}, {"a", "1"}, {"a", "2"}},
        Pairs{{"__name__", "up"}, {"", "1"}}, Pairs{{"__name__", ""}}}) {
    EXPECT_EQ(write(request_v1({series_v1(bad, {sample(1, now_ms())})})).status, 400);
  }
  const Pairs unsorted{{"z", "1"}, {"__name__", "up"}, {"a", "2"}, {"empty", ""}};
  EXPECT_EQ(write(request_v1({series_v1(unsorted, {sample(1, now_ms())})})).status, 204)
      << "nothing is lost for their order";
  EXPECT_EQ(stored(), Texts{"up{a=2,z=1}"});
}

TEST_F(RemoteWrite1, SamplesOfASeriesKeepTheirOrder) {
  EXPECT_EQ(write(request_v1({series_v1(kUp, {sample(1, now_ms() - 2), sample(2, now_ms() - 1),
                                              sample(3, now_ms())})}))
                .status,
            204);
  EXPECT_EQ(values(), (Values{1, 2, 3}));
}

TEST_F(RemoteWrite1, AStaleMarkerEndsASeriesAndIsNoSample) {
  const auto reply =
      write(request_v1({series_v1(kUp, {sample(1, now_ms() - 1), stale(now_ms())})}));
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(counts(reply)[0], "2") << "taken in: a sender that gets back less reports data loss";
  EXPECT_EQ(values(), Values{1});
  EXPECT_EQ(metric("sensus_api_remote_write_stale_markers_total"), 1);
}

TEST_F(RemoteWrite1, OtherNansAreSamples) {
  EXPECT_EQ(write(request_v1({series_v1(kUp, {sample(std::nan(""), now_ms())})})).status, 204);
  ASSERT_EQ(values().size(), 1U);
  EXPECT_TRUE(std::isnan(values()[0]));
}

TEST_F(RemoteWrite1, OneBadSampleIs400AndTheOthersAreKept) {
  const auto reply = write(request_v1(
      {series_v1(kUp, {sample(1, now_ms()), sample(2, 0)}), series_v1({}, {sample(3, now_ms())})}));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(counts(reply)[0], "1");
  EXPECT_EQ(values(), Values{1});
}

TEST_F(RemoteWrite1, WhatShallBeSentAgainIs5xxAndNever429) {
  for (const Errc code :
       {Errc::overloaded, Errc::unavailable, Errc::timeout, Errc::in_doubt, Errc::cancelled}) {
    world.flow.error = make_error(code, "not now");
    const auto reply = write(one());
    EXPECT_EQ(reply.status, 503) << to_string(code);
    EXPECT_NE(reply.header("retry-after"), "");
  }
}

TEST_F(RemoteWrite1, ABombIsRefusedByTheLengthItDeclares) {
  EXPECT_EQ(send("\xff\xff\xff\xff\x0f", "application/x-protobuf", "snappy").status, 413);
}

TEST_F(RemoteWrite1, DamageIs400) {
  EXPECT_EQ(write("\x0a\x05x").status, 400);
  EXPECT_EQ(write(one().substr(0, one().size() - 1)).status, 400);
  EXPECT_EQ(write(std::string(1000, '\x0a')).status, 400);
}

TEST_F(RemoteWrite2, TheContentTypeChoosesAndWithoutProtoItIsVersion1) {
  EXPECT_EQ(write2({series_v2({1, 2, 3, 4}, {sample(1, now_ms())})}).status, 204);
  EXPECT_EQ(stored(), Texts{"up{job=node}"});
  EXPECT_EQ(write(one(), "application/x-protobuf;proto=prometheus.WriteRequest").status, 204);
  EXPECT_EQ(write(one()).status, 204);
}

TEST_F(RemoteWrite2, ABodyOfTheOtherVersionIsToldApart) {
  EXPECT_EQ(write(one(), kV2).status, 400);
  EXPECT_EQ(write(request_v2(symbols, {series_v2({1, 2}, {sample(1, now_ms())})})).status, 400);
  EXPECT_TRUE(stored().empty());
}

TEST_F(RemoteWrite2, OtherTypesAndEncodingsAre415) {
  for (const char* type :
       {"application/json", "application/x-protobuf;proto=io.prometheus.write.v3.Request",
        "text/plain"}) {
    EXPECT_EQ(write(one(), type).status, 415) << type;
  }
  for (const char* encoding : {"gzip", "zstd", "identity", "snappy, gzip"}) {
    EXPECT_EQ(send(snappy(one()), "application/x-protobuf", encoding).status, 415) << encoding;
  }
}

TEST_F(RemoteWrite2, TheFirstSymbolIsTheEmptyOne) {
  symbols.erase(symbols.begin());
  EXPECT_EQ(write2({series_v2({0, 1}, {sample(1, now_ms())})}).status, 400);
}

TEST_F(RemoteWrite2, OddOrWildReferencesRefuseTheirSeriesAlone) {
  const std::string good = series_v2({1, 2}, {sample(1, now_ms())});
  for (const std::string& bad :
       {series_v2({1, 2, 3}, {sample(2, now_ms())}), series_v2({1, 7}, {sample(2, now_ms())}),
        series_v2({1, ~std::uint64_t{0}}, {sample(2, now_ms())})}) {
    const auto reply = write2({bad, good});
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(counts(reply), (Texts{"1", "0", "0"}));
    EXPECT_EQ(values(), Values{1});
  }
}

TEST_F(RemoteWrite2, EveryReplyHasTheCounts) {
  const std::string good = series_v2({1, 2}, {sample(1, now_ms())});
  EXPECT_EQ(counts(write2({good})), (Texts{"1", "0", "0"}));
  const Texts nothing{"0", "0", "0"};
  EXPECT_EQ(counts(write2({})), nothing);
  EXPECT_EQ(counts(write2({series_v2({1}, {})})), nothing);
  EXPECT_EQ(counts(send("damage", kV2, "snappy")), nothing);
  EXPECT_EQ(counts(send("\xff\xff\xff\xff\x0f", kV2, "snappy")), nothing);
  EXPECT_EQ(counts(send(snappy(one()), kV2, "gzip")), nothing);
  EXPECT_EQ(counts(send(snappy(one()), "text/plain", "snappy")), nothing);
  const auto too_large = post("/api/v1/write", {{"Content-Type", kV2}},
                              std::string(world.options.body_limit.bytes + 1, 'x'));
  EXPECT_EQ(too_large.status, 413);
  EXPECT_EQ(counts(too_large), nothing);
  world.flow.error = make_error(Errc::unavailable, "gone");
  EXPECT_EQ(counts(write2({good})), nothing);
}

TEST_F(RemoteWrite2, AHandlerThatFailsHasTheCountsAsWell) {
  world.flow.thrown = "a bug";
  const auto reply = write2({series_v2({1, 2}, {sample(1, now_ms())})});
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(counts(reply), (Texts{"0", "0", "0"}));
}

TEST_F(RemoteWrite2, NativeHistogramsAndExemplarsCountAsNotWritten) {
  const auto reply =
      write2({series_v2({1, 2}, {sample(1, now_ms())}) + Proto().bytes(3, "").bytes(4, "").text()});
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(counts(reply), (Texts{"1", "0", "0"}));
  EXPECT_EQ(metric("sensus_api_remote_write_skipped_histograms_total"), 1);
}

TEST_F(RemoteWrite2, MetadataOfASeriesIsKept) {
  const std::string metadata = Proto().varint(1, 2).varint(3, 5).varint(4, 6).text();
  EXPECT_EQ(
      write2({series_v2({1, 2}, {sample(1, now_ms())}) + Proto().bytes(5, metadata).text()}).status,
      204);
  ASSERT_EQ(world.flow.metadata.size(), 1U);
  EXPECT_EQ(world.flow.metadata[0].help, "the help");
}

TEST_F(RemoteWrite2, StartTimestampsAreNoTimes) {
  const std::string with_start = sample(1, now_ms()) + Proto().varint(3, 1).text();
  EXPECT_EQ(write2({series_v2({1, 2}, {with_start})}).status, 204);
  EXPECT_EQ(world.flow.samples.rows().at(0).time, world.clock.now());
}

}  // namespace
}  // namespace sensus::api::test
