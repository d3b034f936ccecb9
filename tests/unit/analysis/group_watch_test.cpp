#include "sensus/analysis/group_watch.hpp"

#include "anomaly_fixture.hpp"

#include <cmath>
#include <map>

namespace sensus::analysis {
namespace {

using ::sensus::analysis::test::minute;
using ::sensus::analysis::test::noise;

constexpr std::size_t kPast = 600;

class FakeMetadata final : public storage::MetadataStore {
 public:
  runtime::Async<Stored> store(Deadline, TenantId, std::vector<model::MetricMetadata>,
                               std::size_t) override {
    co_return Stored{};
  }
  runtime::Async<std::vector<model::MetricMetadata>> list(Deadline, TenantId,
                                                          storage::MetadataQuery) override {
    co_return std::vector<model::MetricMetadata>{};
  }
  runtime::Async<ByMetric> of_metrics(Deadline, TenantId, std::vector<std::string>) override {
    co_return ByMetric{};
  }
};

double load(std::size_t i) {
  return std::sin(static_cast<double>(i) / 37) + 0.5 * std::sin(static_cast<double>(i) / 11);
}

/// Services cart (series 1 to 3) and pay (4 to 6): requests, cpu and queue follow one load.
double value_of(SeriesId series, std::size_t i) {
  const double slopes[] = {100, 9, 3};
  return 50 + slopes[(series - 1) % 3] * (load(i) + 0.03 * noise(i, series));
}

struct Site {
  explicit Site(runtime::Executor executor)
      : clock(minute(kPast) + 20s),
        cpu(std::move(executor), {.name = "cpu", .threads = 1, .queue_limit = 16}, metrics) {
    const std::vector<std::string> names{"requests", "cpu", "queue"};
    for (SeriesId id = 1; id <= 6; ++id) {
      add_series(id, names[static_cast<std::size_t>(id - 1) % 3],
                 {{"service", id <= 3 ? "cart" : "pay"}});
      for (std::size_t i = 0; i < kPast; ++i) {
        samples.samples[id].push_back({minute(i), value_of(id, i)});
      }
    }
    add_series(7, "up", {{"job", "x"}});
    add_series(8, kAnomalousShareMetric, {{"service", "cart"}, {"group", "web"}});
    options.groups.push_back(
        {.name = "web", .selector = "{service!=\"\"}", .by = "service", .columns_max = 16});
  }
  ~Site() { cpu.stop_blocking(); }
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  void add_series(SeriesId id, const std::string& name, model::Labels labels) {
    samples.series.push_back({.id = id,
                              .metric_name = name,
                              .labels = std::move(labels),
                              .first_seen = minute(0),
                              .last_seen = minute(kPast)});
  }
  void start() {
    watch = GroupWatch::make({samples,
                              analyses,
                              metadata,
                              cpu,
                              clock,
                              {},
                              metrics,
                              [this](Deadline, TenantId, model::SampleBatch batch) {
                                return accept(std::move(batch));
                              },
                              [this] { ++outbox_kicks; },
                              [this] { return may_run; }},
                             options)
                .value();
  }
  runtime::Async<std::size_t> accept(model::SampleBatch batch) {
    if (refuse) {
      co_return make_error(Errc::unavailable, "away");
    }
    for (const model::SampleBatch::Row& row : batch.rows()) {
      const std::string key(batch.key(row));
      const auto name = model::decode_series_key(key).value();
      if (name.metric_name == kGroupScoreMetric && !told.contains(key)) {
        add_series(static_cast<SeriesId>(100 + told.size()), name.metric_name, name.labels);
      }
      told[key].push_back({row.time, row.value});
    }
    co_return batch.size();
  }
  [[nodiscard]] const std::vector<model::Sample>& of(const char* metric, const char* service) {
    return told[model::encode_series_key(metric, {{"service", service}, {"group", "web"}})];
  }
  [[nodiscard]] bool counts(const std::string& line) {
    return metrics.render().find(line + "\n") != std::string::npos;
  }

  telemetry::Metrics metrics;
  ManualClock clock;
  runtime::BlockingPool cpu;
  ::sensus::test::FakeSampleStore samples;
  ::sensus::test::FakeAnalysisStore analyses;
  FakeMetadata metadata;
  GroupWatchOptions options;
  std::unique_ptr<GroupWatch> watch;
  std::map<std::string, std::vector<model::Sample>> told;
  int outbox_kicks = 0;
  bool refuse = false;
  bool may_run = true;
};

CORO_TEST(GroupWatch, NamesTheGroupAndTheColumnThatDoesNotFit) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto site = std::make_shared<Site>(executor);
  for (std::size_t i = kPast - 6; i < kPast; ++i) {
    site->samples.samples[5][i].value =
        50 - 9 * load(i) - 8;  // The cpu of pay goes against its load.
  }
  site->start();
  const auto looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  CO_ASSERT_TRUE(!site->analyses.stored_anomalies.empty());
  SeriesId score_of_pay = 0;
  for (const storage::SeriesInfo& series : site->samples.series) {
    if (series.metric_name == kGroupScoreMetric && series.labels.get("service") == "pay") {
      score_of_pay = series.id;
    }
  }
  for (const model::Anomaly& anomaly : site->analyses.stored_anomalies) {
    EXPECT_EQ(anomaly.series_id, score_of_pay);
    EXPECT_GE(anomaly.time, minute(kPast - 6));
    EXPECT_EQ(anomaly.kind, "point");
    EXPECT_TRUE(anomaly.tier == "notable" || anomaly.tier == "alerting");
    EXPECT_NE(anomaly.contributions_json.find("\"feature\":\"cpu\""), std::string::npos)
        << anomaly.contributions_json;
  }
  EXPECT_EQ(site->outbox_kicks, 1);
  EXPECT_EQ(site->of(kGroupScoreMetric, "cart").size(), 15U)
      << "what was over when the watch began is said for a quarter of an hour back";
  EXPECT_TRUE(site->counts("sensus_analysis_groups 2"));
  EXPECT_TRUE(site->counts("sensus_analysis_groups_learned_total 2"));
}

CORO_TEST(GroupWatch, GoesOnStepByStepAndTellsTheShare) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto site = std::make_shared<Site>(executor);
  model::Anomaly odd;
  odd.series_id = 2;
  odd.time = minute(kPast - 3);
  site->analyses.stored_anomalies.push_back(odd);
  site->start();
  auto looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  const std::size_t calls = site->samples.step_means_calls.size();
  CO_ASSERT_EQ(site->of(kAnomalousShareMetric, "cart").size(), 15U);
  EXPECT_EQ(site->of(kAnomalousShareMetric, "cart").front().value, 0);
  EXPECT_NEAR(site->of(kAnomalousShareMetric, "cart").back().value, 1.0 / 3, 1e-9)
      << "the share itself is no member";
  EXPECT_EQ(site->of(kAnomalousShareMetric, "pay").back().value, 0);

  looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  EXPECT_EQ(site->samples.step_means_calls.size(), calls) << "no step is over";

  for (SeriesId id = 1; id <= 6; ++id) {
    site->samples.samples[id].push_back({minute(kPast), value_of(id, kPast)});
  }
  site->clock.advance(60s);
  looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  CO_ASSERT_EQ(site->samples.step_means_calls.size(), calls + 1);
  EXPECT_EQ(site->samples.step_means_calls.back().from, minute(kPast));
  EXPECT_EQ(site->samples.step_means_calls.back().to, minute(kPast + 1));
  EXPECT_EQ(site->of(kGroupScoreMetric, "pay").size(), 16U);
  EXPECT_EQ(site->of(kGroupScoreMetric, "pay").back().time, minute(kPast));
}

CORO_TEST(GroupWatch, WhatCannotBeStoredIsStoredLater) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto site = std::make_shared<Site>(executor);
  site->refuse = true;
  site->start();
  auto looked = co_await site->watch->look();
  EXPECT_TRUE(!looked && looked.error().code == Errc::unavailable);
  const std::size_t calls = site->samples.step_means_calls.size();
  looked = co_await site->watch->look();
  EXPECT_FALSE(looked);
  EXPECT_EQ(site->samples.step_means_calls.size(), calls) << "nothing new while results wait";
  EXPECT_TRUE(site->counts("sensus_analysis_group_failures_total{stage=\"store\"} 2"));
  site->refuse = false;
  looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  EXPECT_EQ(site->of(kGroupScoreMetric, "pay").size(), 15U);

  site->samples.failures.push_back(make_error(Errc::unavailable, "away"));
  site->clock.advance(60s);
  looked = co_await site->watch->look();
  EXPECT_FALSE(looked);
  for (SeriesId id = 1; id <= 6; ++id) {
    site->samples.samples[id].push_back({minute(kPast), value_of(id, kPast)});
  }
  looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  EXPECT_EQ(site->of(kGroupScoreMetric, "pay").size(), 16U) << "a failed read loses nothing";
  EXPECT_TRUE(site->counts("sensus_analysis_groups_learned_total 2")) << "and no detector";
}

CORO_TEST(GroupWatch, LeavesOutWhatIsTooMuchAndSaysSo) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto site = std::make_shared<Site>(executor);
  site->options.groups.front().columns_max = 2;
  for (SeriesId id = 1000; id < 1199; ++id) {
    site->add_series(id, "alone", {{"service", "s" + std::to_string(id)}});
  }
  site->start();
  const auto looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  EXPECT_TRUE(site->counts("sensus_analysis_groups 200"));
  EXPECT_TRUE(site->counts("sensus_analysis_group_left_out{what=\"groups\"} 1"));
  EXPECT_TRUE(site->counts("sensus_analysis_group_left_out{what=\"columns\"} 2"))
      << "one of cart, one of pay";
}

CORO_TEST(GroupWatch, StandsByWhereAnotherReplicaAnalyses) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto site = std::make_shared<Site>(executor);
  site->may_run = false;
  site->start();
  auto looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  EXPECT_TRUE(site->told.empty());
  site->may_run = true;
  looked = co_await site->watch->look();
  CO_ASSERT_OK(looked);
  EXPECT_EQ(site->told.size(), 4U);
}

CORO_TEST(GroupWatch, RefusesWhatIsNoSelectorAndEndsWithoutGroups) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto site = std::make_shared<Site>(executor);
  GroupWatchOptions wrong;
  wrong.groups.push_back({.name = "x", .selector = "{", .by = "service"});
  const auto make = [&site](const GroupWatchOptions& options) {
    return GroupWatch::make({site->samples,
                             site->analyses,
                             site->metadata,
                             site->cpu,
                             site->clock,
                             {},
                             site->metrics,
                             nullptr,
                             nullptr,
                             nullptr},
                            options);
  };
  EXPECT_FALSE(make(wrong));
  wrong.groups.front() = {.name = "x", .selector = "up", .by = "group"};
  EXPECT_FALSE(make(wrong));
  const auto none = make({});
  CO_ASSERT_TRUE(none.has_value());
  co_await (*none)->run();
}

}  // namespace
}  // namespace sensus::analysis
