#include "sensus/storage/last_samples.hpp"

#include "integration/storage/store_fixture.hpp"

#include <map>

namespace sensus::test {
namespace {

model::LabelsHash hash_of(const std::string& instance) {
  return model::hash_series_key(series_key("cpu", instance));
}

CORO_TEST(LastSamples, AreTheNewestWhereverTheyAreStored) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  auto store = storage::make_last_sample_store(s.database);
  const Timestamp now =
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  storage::SampleFlush flush;
  flush.new_series = {series_key("cpu", "a"), series_key("cpu", "b"), series_key("cpu", "c")};
  flush.rows = {{-1, now - 1min, 2}, {-2, now - 10s, 7}, {-1, now - 2min, 1}};
  auto first = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(first);
  storage::SampleFlush again;
  again.rows = {{first->new_series[1], now - 10s, 8}, {first->new_series[0], now - 5min, 0}};
  auto second = writer->write_blocking(soon(), again);
  CO_ASSERT_OK(second);
  // One that was last seen days ago has its samples there.
  (void)s.db.admin(
      "update sensus.series set last_seen = now() - interval '3 days' where labels ->> 'instance' "
      "= 'c'");
  storage::SampleFlush old;
  old.rows = {{first->new_series[2], now - 72h, 5}};
  auto third = writer->write_blocking(soon(), old);
  CO_ASSERT_OK(third);
  (void)s.db.admin(
      "update sensus.series set last_seen = now() - interval '3 days' where labels ->> 'instance' "
      "= 'c'");

  const std::vector<model::LabelsHash> wanted = {hash_of("a"), hash_of("b"), hash_of("c"),
                                                 hash_of("unheard of")};
  auto found = co_await store->last_of(soon(), kDefaultTenant, wanted);
  CO_ASSERT_OK(found);
  std::map<model::LabelsHash, model::Sample> by_series;
  for (const storage::LastSample& one : *found) {
    by_series.emplace(one.series, one.sample);
  }
  CO_ASSERT_EQ(by_series.size(), 3U);
  EXPECT_EQ(by_series[hash_of("a")].value, 2);
  EXPECT_EQ(by_series[hash_of("a")].time, now - 1min);
  EXPECT_EQ(by_series[hash_of("b")].value, 8) << "the last write wins";
  EXPECT_EQ(by_series[hash_of("c")].value, 5);
  auto of_another = co_await store->last_of(soon(), kDefaultTenant + 1, wanted);
  CO_ASSERT_OK(of_another);
  EXPECT_TRUE(of_another->empty());
  const std::vector<model::LabelsHash> none;
  auto of_none = co_await store->last_of(soon(), kDefaultTenant, none);
  CO_ASSERT_OK(of_none);
  EXPECT_TRUE(of_none->empty());
}

}  // namespace
}  // namespace sensus::test
