#include "sensus/ingest/metadata_keeper.hpp"

#include "fakes.hpp"

namespace sensus::ingest {
namespace {

struct FakeMetadata final : storage::MetadataStore {
  std::deque<Errc> failures;
  std::vector<model::MetricMetadata> stored;
  std::size_t calls = 0;
  std::size_t refused = 0;

  runtime::Async<Stored> store(Deadline, TenantId, std::vector<model::MetricMetadata> families,
                               std::size_t) override {
    ++calls;
    if (!failures.empty()) {
      const Errc code = failures.front();
      failures.pop_front();
      co_return make_error(code, "not now");
    }
    const std::size_t written = families.size();
    std::move(families.begin(), families.end(), std::back_inserter(stored));
    co_return Stored{written, refused};
  }
  runtime::Async<std::vector<model::MetricMetadata>> list(Deadline, TenantId,
                                                          storage::MetadataQuery) override {
    co_return stored;
  }
  runtime::Async<ByMetric> of_metrics(Deadline, TenantId, std::vector<std::string>) override {
    co_return ByMetric{};
  }
};

struct KeeperBench {
  explicit KeeperBench(const runtime::Executor& given, std::size_t families_max = 100)
      : executor(given), keeper({given, store, clock, telemetry::Log(), metrics}, {families_max, std::chrono::milliseconds{1}}) {}

  void start() {
    boost::asio::co_spawn(executor, keeper.run(), [](const std::exception_ptr&) {});
  }
  void note(const std::string& family) {
    model::MetadataBatch batch;
    batch.append({family, model::MetricType::counter, "", "help"});
    keeper.note(kDefaultTenant, batch);
  }
  [[nodiscard]] double metric(const std::string& name, telemetry::MetricLabels labels = {}) {
    return metrics.counter(name, "", labels).value();
  }

  runtime::Executor executor;
  FakeMetadata store;
  ManualClock clock{kNow};
  telemetry::Metrics metrics;
  MetadataKeeper keeper;
};

CORO_TEST(MetadataKeeper, StoresWhatIsNewOnceAndNothingElse) {
  const auto executor = co_await boost::asio::this_coro::executor;
  KeeperBench bench(executor);
  bench.start();
  bench.note("a");
  CO_UNTIL(bench.store.stored.size() == 1);
  for (int i = 0; i < 100; ++i) {
    bench.note("a");
  }
  const auto stopped = co_await bench.keeper.stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
  EXPECT_EQ(bench.store.calls, 1U);
  EXPECT_EQ(bench.metric("sensus_ingest_metadata_written_total"), 1);
}

CORO_TEST(MetadataKeeper, TriesAgainAfterAFailure) {
  const auto executor = co_await boost::asio::this_coro::executor;
  KeeperBench bench(executor);
  bench.store.failures = {Errc::unavailable};
  bench.start();
  bench.note("a");
  CO_UNTIL(bench.store.stored.size() == 1);
  EXPECT_EQ(bench.metric("sensus_ingest_metadata_failures_total"), 1);
  const auto stopped = co_await bench.keeper.stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
}

CORO_TEST(MetadataKeeper, WhatTheDatabaseWillNeverTakeIsDropped) {
  const auto executor = co_await boost::asio::this_coro::executor;
  KeeperBench bench(executor);
  bench.store.failures = {Errc::invalid_input};
  bench.start();
  bench.note("a");
  CO_UNTIL(bench.metric("sensus_ingest_metadata_dropped_total", {{"reason", "refused"}}) == 1);
  const auto stopped = co_await bench.keeper.stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
  EXPECT_EQ(bench.store.calls, 1U);
}

CORO_TEST(MetadataKeeper, StopStoresWhatWaits) {
  const auto executor = co_await boost::asio::this_coro::executor;
  KeeperBench bench(executor);
  bench.note("a");
  bench.note("b");
  const auto stopped = co_await bench.keeper.stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
  EXPECT_EQ(bench.store.calls, 1U);
  EXPECT_EQ(bench.store.stored.size(), 2U);
}

CORO_TEST(MetadataKeeper, CountsWhatIsDropped) {
  const auto executor = co_await boost::asio::this_coro::executor;
  KeeperBench bench(executor, 1);
  bench.store.refused = 1;
  bench.note("a");
  bench.note("b");
  bench.note("\xff");
  const auto stopped = co_await bench.keeper.stop(Deadline::after(5s));
  CO_ASSERT_OK(stopped);
  EXPECT_EQ(bench.metric("sensus_ingest_metadata_dropped_total", {{"reason", "invalid"}}), 1);
  EXPECT_EQ(bench.metric("sensus_ingest_metadata_dropped_total", {{"reason", "limit"}}), 2)
      << "here and by the table's own limit";
}

}  // namespace
}  // namespace sensus::ingest
