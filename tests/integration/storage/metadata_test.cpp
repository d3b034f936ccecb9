#include "sensus/storage/metadata.hpp"

#include "integration/storage/store_fixture.hpp"

namespace sensus::test {
namespace {

using model::MetricMetadata;
using model::MetricType;
using Families = std::vector<MetricMetadata>;

constexpr std::size_t kPlenty = 1000;

CORO_TEST(MetadataStore, KeepsWhatSendersSaidOfAFamily) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_metadata_store(s.database);
  const Families said = {{"up", MetricType::gauge, "", "1 when it \"worked\""},
                         {"http_seconds", MetricType::histogram, "seconds", ""}};
  auto stored = co_await store->store(soon(), kDefaultTenant, said, kPlenty);
  CO_ASSERT_OK(stored);
  EXPECT_EQ(stored->written, 2U);
  EXPECT_EQ(stored->refused, 0U);
  storage::MetadataQuery all;
  auto listed = co_await store->list(soon(), kDefaultTenant, all);
  CO_ASSERT_OK(listed);
  const Families by_name = {said[1], said[0]};
  EXPECT_EQ(*listed, by_name);
  storage::MetadataQuery one;
  one.family = "up";
  auto named = co_await store->list(soon(), kDefaultTenant, one);
  CO_ASSERT_OK(named);
  EXPECT_EQ(named->size(), 1U);
  all.limit = 1;
  auto limited = co_await store->list(soon(), kDefaultTenant, all);
  CO_ASSERT_OK(limited);
  EXPECT_EQ(limited->size(), 1U);
  auto of_another = co_await store->list(soon(), kDefaultTenant + 1, all);
  CO_ASSERT_OK(of_another);
  EXPECT_TRUE(of_another->empty());
}

CORO_TEST(MetadataStore, WritesOnlyWhatChanged) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_metadata_store(s.database);
  Families said = {{"a", MetricType::gauge, "", "of a"}, {"b", MetricType::counter, "", "of b"}};
  (void)co_await store->store(soon(), kDefaultTenant, said, kPlenty);
  const std::string before = s.value(
      "select string_agg(ctid::text || updated_at, ',' order by family) from metric_metadata");
  auto again = co_await store->store(soon(), kDefaultTenant, said, kPlenty);
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->written, 0U);
  EXPECT_EQ(
      s.value(
          "select string_agg(ctid::text || updated_at, ',' order by family) from metric_metadata"),
      before);
  said[1].help = "now of c";
  auto changed = co_await store->store(soon(), kDefaultTenant, said, kPlenty);
  CO_ASSERT_OK(changed);
  EXPECT_EQ(changed->written, 1U);
  EXPECT_EQ(s.value("select help from metric_metadata where family = 'b'"), "now of c");
}

CORO_TEST(MetadataStore, NothingSaidDoesNotEraseWhatAnotherSaid) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_metadata_store(s.database);
  const Families rich = {{"a", MetricType::counter, "bytes", "of a"}};
  (void)co_await store->store(soon(), kDefaultTenant, rich, kPlenty);
  const Families poor = {{"a", MetricType::unknown, "", ""}};
  auto stored = co_await store->store(soon(), kDefaultTenant, poor, kPlenty);
  CO_ASSERT_OK(stored);
  EXPECT_EQ(stored->written, 0U);
  const Families partly = {{"a", MetricType::gauge, "", ""}};
  (void)co_await store->store(soon(), kDefaultTenant, partly, kPlenty);
  EXPECT_EQ(s.value("select type || unit || help from metric_metadata"), "gaugebytesof a");
}

CORO_TEST(MetadataStore, BeyondTheLimitKnownFamiliesGoOn) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_metadata_store(s.database);
  const Families first = {{"b", MetricType::gauge, "", ""}, {"c", MetricType::gauge, "", ""}};
  auto at_the_limit = co_await store->store(soon(), kDefaultTenant, first, 2);
  CO_ASSERT_OK(at_the_limit);
  EXPECT_EQ(at_the_limit->refused, 0U);
  const Families more = {{"a", MetricType::gauge, "", ""}, {"c", MetricType::counter, "", ""}};
  auto beyond = co_await store->store(soon(), kDefaultTenant, more, 2);
  CO_ASSERT_OK(beyond);
  EXPECT_EQ(beyond->written, 1U);
  EXPECT_EQ(beyond->refused, 1U);
  EXPECT_EQ(s.value("select string_agg(family || type, ',' order by family) from metric_metadata"),
            "bgauge,ccounter");
  auto other_tenant = co_await store->store(soon(), kDefaultTenant + 1, more, 2);
  CO_ASSERT_OK(other_tenant);
  EXPECT_EQ(other_tenant->refused, 0U);
}

CORO_TEST(MetadataStore, FindsTheFamilyOfASeries) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto store = storage::make_metadata_store(s.database);
  const Families said = {{"http_seconds", MetricType::histogram, "seconds", "h"},
                         {"jobs", MetricType::counter, "", "j"},
                         {"disk", MetricType::gauge, "", "d"},
                         {"disk_count", MetricType::gauge, "", "c"}};
  (void)co_await store->store(soon(), kDefaultTenant, said, kPlenty);
  const std::vector<std::string> names = {"http_seconds_bucket", "jobs_total", "disk",
                                          "disk_count",          "disk_sum",   "nothing"};
  auto found = co_await store->of_metrics(soon(), kDefaultTenant, names);
  CO_ASSERT_OK(found);
  EXPECT_EQ(found->size(), 4U);
  EXPECT_EQ((*found)["http_seconds_bucket"].help, "h");
  EXPECT_EQ((*found)["jobs_total"].type, MetricType::counter);
  EXPECT_EQ((*found)["disk"].help, "d");
  EXPECT_EQ((*found)["disk_count"].help, "c") << "its own name comes first";
  const std::vector<std::string> none;
  auto of_none = co_await store->of_metrics(soon(), kDefaultTenant, none);
  CO_ASSERT_OK(of_none);
  EXPECT_TRUE(of_none->empty());
}

}  // namespace
}  // namespace sensus::test
