#include "api_fixture.hpp"

#include "unit/codec/remote_write_writer.hpp"

#include <array>

namespace sensus::api::test {
namespace {

using namespace codec::test;  // The writer of protobuf.

constexpr const char* kV2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const Pairs kUp{{"__name__", "up"}, {"job", "node"}};

/// A snappy block of literals only: allowed, and needs no library.
std::string snappy(const std::string& bytes) {
  std::string out = Proto::varint_bytes(bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += 60) {
    const std::string piece = bytes.substr(at, 60);
    out.push_back(static_cast<char>((piece.size() - 1) << 2U));
    out += piece;
  }
  return out;
}

class RemoteWriteRoute : public ApiTest {
 protected:
  std::int64_t ms() const { return to_unix_us(world.clock.now()) / 1000; }
  http::Response write(const std::string& body, const char* content_type = "application/x-protobuf",
                       const char* encoding = "snappy") {
    http::Headers headers;
    if (content_type != nullptr) {
      headers.add("Content-Type", content_type);
    }
    if (encoding != nullptr) {
      headers.add("Content-Encoding", encoding);
    }
    http::Response response = call(http::Method::post, "/api/v1/write", {}, body, headers);
    for (const char* name : {"Samples", "Histograms", "Exemplars"}) {
      EXPECT_TRUE(
          response.headers.contains("X-Prometheus-Remote-Write-" + std::string(name) + "-Written"))
          << response.status;
    }
    return response;
  }
  std::string written(const http::Response& response) {
    return std::string(response.headers.get("X-Prometheus-Remote-Write-Samples-Written"));
  }
  double metric(const std::string& name) {
    const std::string page = world.metrics.render();
    const std::size_t at = page.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
  }
};

TEST_F(RemoteWriteRoute, Version1IsCommitted) {
  const auto response =
      write(snappy(request_v1({series_v1(kUp, {sample(1.5, ms()), sample(2.5, ms() + 1)})})));
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(written(response), "2");
  ASSERT_EQ(world.flow.samples.size(), 2U);
  EXPECT_EQ(world.flow.samples.key(world.flow.samples.rows()[1]),
            model::encode_series_key("up", {{"job", "node"}}));
}

TEST_F(RemoteWriteRoute, Version2IsCommitted) {
  const auto response = write(
      snappy(request_v2({"", "__name__", "up"}, {series_v2({1, 2}, {sample(1, ms())})})), kV2);
  EXPECT_EQ(response.status, 204) << response.body;
  EXPECT_EQ(written(response), "1");
  EXPECT_EQ(response.headers.get("X-Prometheus-Remote-Write-Histograms-Written"), "0");
}

TEST_F(RemoteWriteRoute, HeadersMayBeLeftOut) {
  EXPECT_EQ(write(snappy(request_v1({series_v1(kUp, {sample(1, ms())})})), nullptr, nullptr).status,
            204);
}

TEST_F(RemoteWriteRoute, OtherTypesAndEncodingsAre415) {
  const std::string body = snappy(request_v1({series_v1(kUp, {sample(1, ms())})}));
  EXPECT_EQ(write(body, "application/x-protobuf;proto=other.Message").status, 415);
  EXPECT_EQ(write(body, "application/json").status, 415);
  EXPECT_EQ(write(body, "application/x-protobuf", "identity").status, 415);
  EXPECT_TRUE(world.flow.samples.empty());
  // What the server decides by the head alone.
  const http::Router router = world.make();
  const auto found = router.find(http::Method::post, "/api/v1/write");
  const http::Route& route = *std::get<http::Router::Match>(found).route;
  EXPECT_EQ(route.content_encodings, std::vector<std::string>{"snappy"});
  EXPECT_EQ(route.content_types, std::vector<std::string>{"application/x-protobuf"});
  const http::Response refusal = route.refusal({}, http::Response::problem(415, "unsupported", "Unsupported", "no"));
  EXPECT_EQ(refusal.status, 415);
  EXPECT_EQ(written(refusal), "0");
}

TEST_F(RemoteWriteRoute, GoodSamplesAreStoredBesideBadOnes) {
  const auto response = write(
      snappy(request_v1({series_v1({{"job", "x"}}, {sample(1, ms()), sample(2, ms())}),
                         series_v1(kUp, {sample(3, ms())}), series_v1(kUp, {sample(4, 0)})})));
  expect_problem(response, 400, "timeseries[0].labels");
  EXPECT_EQ(written(response), "1");
  EXPECT_NE(response.body.find("3 samples were refused, 1 written"), std::string::npos)
      << response.body;
  EXPECT_EQ(world.flow.samples.size(), 1U);
  EXPECT_EQ(metric("sensus_api_remote_write_refused_samples_total"), 3);
  EXPECT_EQ(metric("sensus_api_bodies_rejected_total{kind=\"remote_write\"}"), 1);
  ASSERT_EQ(world.log_lines.size(), 1U);
}

TEST_F(RemoteWriteRoute, StaleMarkersCountAsWrittenAndEndTheirSeries) {
  const auto response = write(snappy(request_v1({series_v1(kUp, {stale(ms())})})));
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(written(response), "1");
  EXPECT_EQ(metric("sensus_api_remote_write_stale_markers_total"), 1);
  EXPECT_EQ(world.flow.samples.size(), 0U);
  EXPECT_EQ(world.flow.samples.ends().size(), 1U);
  world.flow.error = make_error(Errc::unavailable, "away");
  const auto refused = write(snappy(request_v1({series_v1(kUp, {stale(ms())})})));
  EXPECT_EQ(refused.status, 503) << "an end must be repeated as samples are";
  EXPECT_EQ(written(refused), "0");
}

TEST_F(RemoteWriteRoute, HistogramsAndExemplarsAreCountedAsSkipped) {
  const auto response = write(snappy(
      Proto()
          .bytes(1, series_v1(kUp, {}) + Proto().bytes(3, "").bytes(4, "").bytes(4, "").text())
          .text()));
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.headers.get("X-Prometheus-Remote-Write-Histograms-Written"), "0");
  EXPECT_EQ(metric("sensus_api_remote_write_skipped_histograms_total"), 2);
  EXPECT_EQ(metric("sensus_api_remote_write_skipped_exemplars_total"), 1);
}

TEST_F(RemoteWriteRoute, AnEmptyRequestIsASuccess) { EXPECT_EQ(write(snappy("")).status, 204); }

TEST_F(RemoteWriteRoute, DamageIs400AndABombIs413) {
  expect_problem(write("not snappy"), 400);
  expect_problem(write(snappy("\x0a\x05x")), 400, "timeseries[0]");
  expect_problem(write(""), 400);
  expect_problem(write("\xff\xff\xff\xff\x0f"), 413);
  world.options.body_limit = ByteSize{10};
  EXPECT_EQ(written(write("\x0b")), "0");
}

TEST_F(RemoteWriteRoute, WhatIngestCannotCommitIs503WithoutAnythingWritten) {
  for (const Errc code :
       {Errc::overloaded, Errc::unavailable, Errc::timeout, Errc::in_doubt, Errc::cancelled}) {
    world.flow.error = make_error(code, "not now");
    const auto response = write(snappy(request_v1(
        {series_v1(kUp, {sample(1, ms()), stale(ms())}), series_v1({}, {sample(1, ms())})})));
    expect_problem(response, 503);
    EXPECT_EQ(written(response), "0");
    EXPECT_FALSE(response.headers.get("Retry-After").empty());
  }
  EXPECT_EQ(metric("sensus_api_remote_write_stale_markers_total"), 0) << "the sender comes again";
}

}  // namespace
}  // namespace sensus::api::test
