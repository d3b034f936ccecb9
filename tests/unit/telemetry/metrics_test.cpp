#include "sensus/telemetry/metrics.hpp"

#include "sensus/telemetry/process_metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sensus::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, RendersCountersGaugesAndHistograms) {
  Metrics metrics;
  metrics.counter("sensus_test_events_total", "Events.", {{"kind", "a"}}).inc();
  metrics.gauge("sensus_test_depth", "Depth.").set(2.5);
  metrics.histogram("sensus_test_wait_seconds", "Waits.", {0.1, 1}).observe(0.5);

  const std::string page = metrics.render();

  EXPECT_THAT(page, HasSubstr("# TYPE sensus_test_events_total counter\nsensus_test_events_total{kind=\"a\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("sensus_test_depth 2.5\n"));
  EXPECT_THAT(page, HasSubstr("sensus_test_wait_seconds_bucket{le=\"0.1\"} 0\n"));
  EXPECT_THAT(page, HasSubstr("sensus_test_wait_seconds_bucket{le=\"1\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("sensus_test_wait_seconds_count 1\n"));
}

TEST(Metrics, AChildExistsFromItsCreation) {
  Metrics metrics;
  static_cast<void>(metrics.counter("sensus_test_failures_total", "Failures."));
  EXPECT_THAT(metrics.render(), HasSubstr("sensus_test_failures_total 0\n"));
}

TEST(Metrics, TheSameNameAndLabelsGiveTheSameChild) {
  Metrics metrics;
  const Counter one = metrics.counter("sensus_test_total", "T.", {{"a", "1"}});
  const Counter two = metrics.counter("sensus_test_total", "T.", {{"a", "1"}});
  one.inc(2);
  two.inc(3);
  EXPECT_DOUBLE_EQ(one.value(), 5);
}

TEST(Metrics, EscapesHelpAndInvalidLabelText) {
  Metrics metrics;
  static_cast<void>(metrics.gauge("sensus_test_a", "back\\slash\nline", {{"l", "bad\xFF\"q\"\n"}}));
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("# HELP sensus_test_a back\\\\slash\\nline\n"));
  EXPECT_THAT(page, HasSubstr("l=\"bad\xEF\xBF\xBD\\\"q\\\"\\n\""));
}

TEST(Metrics, FoldsLabelSetsBeyondTheLimitIntoOther) {
  Metrics metrics;
  for (int i = 0; i < 1002; ++i) {
    metrics.counter("sensus_test_total", "T.", {{"id", std::to_string(i)}}).inc();
  }
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("{id=\"999\"} 1\n"));
  EXPECT_THAT(page, Not(HasSubstr("{id=\"1000\"}")));
  EXPECT_THAT(page, HasSubstr("{id=\"other\"} 2\n"));
}

TEST(Metrics, RefreshersRunBeforeEachRender) {
  Metrics metrics;
  const Gauge gauge = metrics.gauge("sensus_test_a", "A.");
  int calls = 0;
  metrics.on_render([&] { gauge.set(++calls); });
  EXPECT_THAT(metrics.render(), HasSubstr("sensus_test_a 1\n"));
  EXPECT_THAT(metrics.render(), HasSubstr("sensus_test_a 2\n"));
}

TEST(Metrics, ListsFamiliesByName) {
  Metrics metrics;
  static_cast<void>(metrics.gauge("sensus_b", "B."));
  static_cast<void>(metrics.counter("sensus_a_total", "A."));
  const auto families = metrics.families();
  ASSERT_EQ(families.size(), 2U);
  EXPECT_EQ(families[0].name, "sensus_a_total");
  EXPECT_EQ(families[0].type, "counter");
  EXPECT_EQ(families[1].help, "B.");
}

TEST(Metrics, ACounterNeverGoesDownAndDefaultHandlesAreInert) {
  Metrics metrics;
  const Counter counter = metrics.counter("sensus_test_total", "T.");
  counter.inc(-1);
  EXPECT_DOUBLE_EQ(counter.value(), 0);
  Counter{}.inc();
  Gauge{}.add(1);
  Histogram{}.observe(1);
  EXPECT_DOUBLE_EQ(Counter{}.value(), 0);
}

TEST(ProcessMetrics, ReportThisProcess) {
  Metrics metrics;
  register_process_metrics(metrics, "1.2.3");
  const std::string page = metrics.render();
  EXPECT_THAT(page, HasSubstr("version=\"1.2.3\""));
  const auto value = [&](const std::string& name) {
    const std::size_t at = page.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + name.size() + 2));
  };
  EXPECT_GT(value("process_resident_memory_bytes"), 1e6);
  EXPECT_GE(value("process_open_fds"), 3);
  EXPECT_GE(value("process_threads"), 1);
  const double now = static_cast<double>(::time(nullptr));
  EXPECT_NEAR(value("process_start_time_seconds"), now, 600);
}

}  // namespace
}  // namespace sensus::telemetry
