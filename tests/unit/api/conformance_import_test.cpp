#include "conformance.hpp"

// What people expect of `curl --data-binary @metrics`, and the two text formats, a test a sentence.

namespace sensus::api::test {
namespace {

class TextImport : public Conformance {
 protected:
  http::test::RawResponse send(const std::string& page,
                               const std::string& type = "application/x-www-form-urlencoded") {
    return post("/api/v1/import/prometheus",
                {{"User-Agent", "curl/7.88.1"}, {"Accept", "*/*"}, {"Content-Type", type}}, page);
  }
  [[nodiscard]] Timestamp time() const { return world.flow.samples.rows().at(0).time; }
};

TEST_F(TextImport, AnyContentTypeWillDo) {
  for (const char* type :
       {"application/x-www-form-urlencoded", "text/plain; version=0.0.4; charset=utf-8",
        "text/plain", "application/octet-stream", "application/json"}) {
    const auto reply = send("a 1\n", type);
    EXPECT_EQ(reply.status, 202) << type;
    EXPECT_EQ(reply.body, "{\"accepted\":1}");
  }
  EXPECT_EQ(post("/api/v1/import/prometheus", {}, "a 1\n").status, 202);
}

TEST_F(TextImport, WithoutATimeASampleIsOfNow) {
  send("a 1\n");
  EXPECT_EQ(time(), world.clock.now());
}

TEST_F(TextImport, TimesAreMilliseconds) {
  send("a 1 " + std::to_string(now_ms() - 1500) + "\n");
  EXPECT_EQ(time(), world.clock.now() - std::chrono::milliseconds{1500});
}

TEST_F(TextImport, TimesOfOpenMetricsAreSeconds) {
  const std::string line = "a 1 " + std::to_string(now_ms() / 1000 - 2) + ".5\n";
  EXPECT_EQ(send(line + "# EOF\n").status, 202);
  EXPECT_EQ(time(), world.clock.now() - std::chrono::milliseconds{1500});
  EXPECT_EQ(
      send(line + "# EOF", "application/openmetrics-text; version=1.0.0; charset=utf-8").status,
      202);
  EXPECT_EQ(time(), world.clock.now() - std::chrono::milliseconds{1500});
}

TEST_F(TextImport, APageOfOpenMetricsThatWasCutOffIsRefused) {
  EXPECT_EQ(send("a 1\n", "application/openmetrics-text; version=1.0.0").status, 400);
  EXPECT_TRUE(stored().empty());
}

TEST_F(TextImport, EscapesInLabelsAreUndone) {
  send("a{path=\"C:\\\\DIR\",said=\"\\\"no\\\"\\n\"} 1\n");
  EXPECT_EQ(stored(), Texts{"a{path=C:\\DIR,said=\"no\"\n}"});
}

TEST_F(TextImport, ValuesMayBeNanAndInfinite) {
  send("a NaN\nb +Inf\nc -Inf\nd 1e3\n");
  EXPECT_EQ(values()[1], std::numeric_limits<double>::infinity());
  EXPECT_EQ(values()[3], 1000);
}

TEST_F(TextImport, TypeHelpAndUnitAreKept) {
  send(
      "# HELP a_seconds Of \\\\a.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds "
      "1\n");
  ASSERT_EQ(world.flow.metadata.size(), 1U);
  EXPECT_EQ(world.flow.metadata[0].type, model::MetricType::counter);
  EXPECT_EQ(world.flow.metadata[0].help, "Of \\a.");
  EXPECT_EQ(world.flow.metadata[0].unit, "seconds");
}

TEST_F(TextImport, ABrokenCommentRefusesNothing) {
  EXPECT_EQ(send("# TYPE a curve\n# HELP\n# anything\na 1\n").status, 202);
  EXPECT_EQ(metric("sensus_api_metadata_refused_total"), 2);
}

TEST_F(TextImport, ExemplarsArePassedOver) {
  EXPECT_EQ(send("a_bucket{le=\"1\"} 3 # {trace_id=\"x\"} 0.67 1520879607.789\n# EOF\n").status,
            202);
  EXPECT_EQ(values(), Values{3});
  EXPECT_EQ(metric("sensus_api_import_skipped_exemplars_total"), 1);
}

TEST_F(TextImport, ABadLineRefusesThePageAndIsNamed) {
  const auto reply = send("a 1\nb one\n");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(json::parse(reply.body)["field"], "line 2");
  EXPECT_TRUE(stored().empty());
}

TEST_F(TextImport, GzipIsTakenAndABombIsNot) {
  const HeaderList packed{{"Content-Encoding", "gzip"}};
  EXPECT_EQ(post("/api/v1/import/prometheus", packed, gzip("a 1\n")).status, 202);
  EXPECT_EQ(stored(), Texts{"a{}"});
  EXPECT_EQ(post("/api/v1/import/prometheus", packed, "a 1\n").status, 400);
}

TEST_F(TextImport, OutageIs503) {
  world.flow.error = make_error(Errc::unavailable, "gone");
  const auto reply = send("a 1\n");
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.header("retry-after"), "");
}

}  // namespace
}  // namespace sensus::api::test
