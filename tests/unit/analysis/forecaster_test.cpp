#include "sensus/analysis/forecaster.hpp"

#include "anomaly_fixture.hpp"
#include "anomaly_scoring_internal.hpp"
#include "sealed_state_internal.hpp"

#include <cmath>

namespace sensus::analysis {
namespace {

using ::sensus::analysis::test::minute;
using ::sensus::analysis::test::noise;
using ::sensus::analysis::test::Rig;

constexpr std::size_t kDay = 1440;
constexpr std::size_t kPast = 20 * 60;

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
    co_return known;
  }
  ByMetric known;
};

/// A disk that fills: half of it at minute(0), a tenth more each day, with a little noise.
double used(std::size_t i) {
  return 0.5 + 0.1 * static_cast<double>(i) / kDay + 0.001 * noise(i, 1);
}

struct Desk {
  explicit Desk(runtime::Executor executor) : rig(std::move(executor), {}) {
    rig.clock.advance(minute(kPast) + 30s - minute(0));
    for (std::size_t i = 0; i < kPast; ++i) {
      rig.samples.samples[1].push_back({minute(i), used(i)});
    }
    add_series(1, "disk_used_ratio");
    restart();
  }
  void add_series(SeriesId id, const std::string& name) {
    rig.samples.series.push_back({.id = id,
                                  .metric_name = name,
                                  .labels = {},
                                  .first_seen = minute(0),
                                  .last_seen = minute(kPast)});
  }
  void restart() {
    forecaster.emplace(Forecaster::Deps{rig.samples, metadata, rig.models, rig.states, rig.cpu,
                                        rig.clock, rig.metrics},
                       rig.options, 60s);
  }
  [[nodiscard]] static model::ForecastQuery query() {
    model::ForecastQuery query;
    query.selector = {
        {std::string(model::kNameLabel), model::SeriesMatchOp::equal, "disk_used_ratio"}};
    query.horizon = 5 * 24h;
    query.step = 1h;
    return query;
  }
  [[nodiscard]] runtime::Async<std::vector<model::SeriesForecast>> ask(model::ForecastQuery asked) {
    return forecaster->forecast(Deadline::after(20s), kDefaultTenant, std::move(asked));
  }

  Rig rig;
  FakeMetadata metadata;
  std::optional<Forecaster> forecaster;
};

double hours_from(Timestamp begin, Timestamp end) {
  return std::chrono::duration<double, std::ratio<3600>>(end - begin).count();
}

CORO_TEST(Forecaster, TellsWhenADiskIsFull) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto desk = std::make_shared<Desk>(executor);
  model::ForecastQuery query = Desk::query();
  query.limit = 0.5 + 0.1 * 92 / 24;
  const auto made = co_await desk->ask(query);
  CO_ASSERT_OK(made);
  CO_ASSERT_EQ(made->size(), 1U);
  const model::SeriesForecast& disk = made->front();
  CO_ASSERT_TRUE(disk.status == model::SeriesForecast::Status::ok);
  EXPECT_FALSE(disk.is_restored);
  EXPECT_EQ(disk.learned_to, minute(kPast - 1));
  CO_ASSERT_EQ(disk.points.size(), 120U);
  EXPECT_GT(disk.points.front().time, desk->rig.clock.now());
  EXPECT_NEAR(disk.points.back().expected, 0.5 + 0.1 * 140 / 24, 0.02);
  CO_ASSERT_TRUE(disk.limit_at && disk.limit_earliest && disk.limit_latest);
  EXPECT_NEAR(hours_from(desk->rig.clock.now(), *disk.limit_at), 72, 72 * 0.03);
  EXPECT_LE(*disk.limit_earliest, *disk.limit_at);
  EXPECT_GE(*disk.limit_latest, *disk.limit_at);

  query.is_limit_below = true;
  query.limit = 0.5;
  const auto falling = co_await desk->ask(query);
  CO_ASSERT_OK(falling);
  EXPECT_FALSE(falling->front().limit_at) << "it rises";
  EXPECT_TRUE(desk->rig.counts("sensus_analysis_forecasts_total{outcome=\"answered\"} 2"));
}

CORO_TEST(Forecaster, GoesOnFromASavedStateAndLearnsWhereItIsDamaged) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto desk = std::make_shared<Desk>(executor);
  ml::DetectorParams params = detector_params(desk->rig.options);
  SeriesScorer scorer(SeriesKind::values, ml::make_detector(params_of(params, {kDefaultTenant, 1})));
  for (std::size_t i = 0; i < kPast - 10; ++i) {
    scorer.update(minute(i), used(i));
  }
  const StateLabel label{{kDefaultTenant, 1}, key_of(params), scorer.last_time()};
  storage::DetectorState& state = desk->rig.states.states[{label.model_key, 1}];
  state = {1, label.last_time, seal_state(label, scorer.serialize())};
  const auto restored = co_await desk->ask(Desk::query());
  CO_ASSERT_OK(restored);
  EXPECT_TRUE(restored->front().is_restored);
  EXPECT_EQ(restored->front().learned_to, minute(kPast - 1)) << "with the steps since";
  CO_ASSERT_EQ(desk->rig.samples.step_means_calls.size(), 1U);
  EXPECT_EQ(desk->rig.samples.step_means_calls.front().from, minute(kPast - 11));
  EXPECT_NEAR(restored->front().points.back().expected, 0.5 + 0.1 * 140 / 24, 0.02);

  state.bytes[state.bytes.size() / 2] = static_cast<char>(state.bytes[state.bytes.size() / 2] ^ 1);
  const auto learned = co_await desk->ask(Desk::query());
  CO_ASSERT_OK(learned);
  EXPECT_FALSE(learned->front().is_restored);
  CO_ASSERT_EQ(desk->rig.samples.step_means_calls.size(), 2U);
  EXPECT_EQ(desk->rig.samples.step_means_calls.back().from, minute(kPast) - 24h)
      << "all of the past";
  EXPECT_NEAR(learned->front().points.back().expected, restored->front().points.back().expected,
              1e-9)
      << "to the same end";
}

CORO_TEST(Forecaster, CountersAreForecastAsRates) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto desk = std::make_shared<Desk>(executor);
  desk->rig.samples.series.clear();
  desk->add_series(2, "bytes_total");
  desk->add_series(3, "packets");
  for (std::size_t i = 0; i < kPast; ++i) {
    const std::size_t since_restart = i % 1000;
    desk->rig.samples.samples[2].push_back({minute(i), 300.0 * static_cast<double>(since_restart)});
    desk->rig.samples.samples[3].push_back({minute(i), 60.0 * static_cast<double>(since_restart)});
  }
  desk->metadata.known["packets"] = {"packets", model::MetricType::counter, "", ""};
  const auto made = co_await desk->ask(Desk::query());
  CO_ASSERT_OK(made);
  CO_ASSERT_EQ(made->size(), 2U);
  EXPECT_TRUE((*made)[0].is_rate);
  EXPECT_TRUE((*made)[1].is_rate);
  EXPECT_NEAR((*made)[0].points.back().expected, 5, 0.3);
  EXPECT_NEAR((*made)[1].points.back().expected, 1, 0.1);
}

CORO_TEST(Forecaster, SaysWhereThereIsNothingToGoOnFrom) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto desk = std::make_shared<Desk>(executor);
  desk->rig.options.history = 48h;
  desk->restart();
  desk->add_series(4, "fresh");
  desk->rig.samples.samples[4] = {};
  desk->rig.clock.advance(23h);
  auto made = co_await desk->ask(Desk::query());
  CO_ASSERT_OK(made);
  EXPECT_TRUE(made->at(0).status == model::SeriesForecast::Status::ok);
  EXPECT_EQ(made->at(0).points.size(), 120U) << "the silence is bridged";
  EXPECT_TRUE(made->at(1).status == model::SeriesForecast::Status::unknown);
  EXPECT_FALSE(made->at(1).learned_to);
  desk->rig.clock.advance(2h);
  made = co_await desk->ask(Desk::query());
  CO_ASSERT_OK(made);
  EXPECT_TRUE(made->at(0).status == model::SeriesForecast::Status::silent);
  EXPECT_EQ(made->at(0).learned_to, minute(kPast - 1));
  EXPECT_TRUE(made->at(0).points.empty());
}

CORO_TEST(Forecaster, RefusesBeyondItsLimits) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto desk = std::make_shared<Desk>(executor);
  for (SeriesId id = 11; id < 20; ++id) {
    desk->add_series(id, "disk_used_ratio");
  }
  const auto ten = co_await desk->ask(Desk::query());
  CO_ASSERT_OK(ten);
  EXPECT_EQ(ten->size(), 10U);
  desk->add_series(20, "disk_used_ratio");
  const auto eleven = co_await desk->ask(Desk::query());
  EXPECT_TRUE(!eleven && eleven.error().code == Errc::invalid_input &&
              eleven.error().field == "series");
  desk->rig.samples.series.back().last_seen = minute(0) - 48h;
  const auto in_use = co_await desk->ask(Desk::query());
  CO_ASSERT_OK(in_use);
  EXPECT_EQ(in_use->size(), 10U) << "those of long ago do not count";

  desk->rig.samples.series.clear();
  const auto none = co_await desk->ask(Desk::query());
  EXPECT_TRUE(!none && none.error().code == Errc::not_found);
  const std::vector<std::pair<std::chrono::seconds, std::chrono::seconds>> wrong{{31 * 24h, 1h}, {1h, 2h}, {1h, 30s}, {2001min, 1min}};
  for (const auto& [horizon, step] : wrong) {
    model::ForecastQuery query = Desk::query();
    query.horizon = horizon;
    query.step = step;
    auto asking = desk->ask(query);
    const auto refused = co_await std::move(asking);
    EXPECT_TRUE(!refused && refused.error().code == Errc::invalid_input) << horizon.count();
  }
}

}  // namespace
}  // namespace sensus::analysis
