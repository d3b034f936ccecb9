// What each protocol answers when a tenant has as many active series as it may: the others are stored, and nobody sends these again.
#include "conformance.hpp"

namespace sensus::api::test {
namespace {

using codec::test::request_v1;
using codec::test::sample;
using codec::test::series_v1;
using codec::test::stale;

class SeriesLimit : public Conformance {
 protected:
  void SetUp() override { world.flow.room = 1; }

  std::string two_of_remote_write(const std::string& more = {}) {
    const auto series = [&](const char* job) { return series_v1({{"__name__", "up"}, {"job", job}}, {sample(1, now_ms())}); };
    return snappy(request_v1({series("a"), series("b")}) + more);
  }
  http::test::RawResponse write(const std::string& body) {
    return post("/api/v1/write", {{"Content-Type", "application/x-protobuf"}, {"Content-Encoding", "snappy"}}, body);
  }
  static std::string two_of_otlp() {
    const auto point = [](const char* job) {
      return R"({"timeUnixNano":"1795168800000000000","asInt":1,"attributes":[{"key":"j","value":{"stringValue":")" + std::string(job) +
             "\"}}]}";
    };
    return R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"up","gauge":{"dataPoints":[)" + point("a") + "," + point("b") +
           "]}}]}]}]}";
  }
};

TEST_F(SeriesLimit, RemoteWriteAnswers400WithWhatWasWritten) {
  const auto reply = write(two_of_remote_write());
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.header("x-prometheus-remote-write-samples-written"), "1");
  EXPECT_NE(reply.body.find("ingest.active_series_max"), std::string::npos) << "the operator learns the reason from the sender's log";
  EXPECT_EQ(metric("sensus_api_remote_write_refused_samples_total"), 1);
  EXPECT_EQ(world.flow.samples.size(), 2U) << "all were handed on: ingest knows which may be";
}

TEST_F(SeriesLimit, RemoteWriteCountsEndsAsWrittenBesideThem) {
  const std::string end = request_v1({series_v1({{"__name__", "gone"}}, {stale(now_ms())})});
  const auto reply = write(two_of_remote_write(end));
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.header("x-prometheus-remote-write-samples-written"), "2");
}

TEST_F(SeriesLimit, ABodyOfKnownSeriesIsTakenAsEver) {
  world.flow.room = 2;
  const auto reply = write(two_of_remote_write());
  EXPECT_EQ(reply.status, 204);
  EXPECT_EQ(reply.header("x-prometheus-remote-write-samples-written"), "2");
}

TEST_F(SeriesLimit, OtlpAnswersWithPartialSuccess) {
  const auto reply = post("/v1/metrics", {{"Content-Type", "application/json"}}, two_of_otlp());
  EXPECT_EQ(reply.status, 200) << "the sender must not repeat what is stored";
  const json partial = json::parse(reply.body).at("partialSuccess");
  EXPECT_EQ(partial.at("rejectedDataPoints"), "1");
  EXPECT_NE(partial.at("errorMessage").get<std::string>().find("ingest.active_series_max"), std::string::npos);
  EXPECT_EQ(metric("sensus_api_otlp_points_rejected_total"), 1);
}

TEST_F(SeriesLimit, JsonAndTextAnswer400AndSayHowManyAreStored) {
  const std::string json_body = R"([{"metric_name":"up","metric_value":1,"labels":{"j":"a"}},{"metric_name":"up","metric_value":1}])";
  const std::string text_body = "up{j=\"a\"} 1\nup 1\n";
  for (const auto& reply : {post("/api/v1/metrics", {{"Content-Type", "application/json"}}, json_body),
                            post("/api/v1/import/prometheus", {{"Content-Type", "text/plain"}}, text_body)}) {
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.header("content-type"), "application/problem+json");
    const std::string detail = json::parse(reply.body).at("detail");
    EXPECT_NE(detail.find("1 of 2 samples would begin new series"), std::string::npos) << detail;
    EXPECT_NE(detail.find("the other 1 are stored"), std::string::npos) << detail;
  }
}

}  // namespace
}  // namespace sensus::api::test
