#include "stream_fixture.hpp"

namespace sensus::test {
namespace {
namespace asio = boost::asio;
using Location = stream::Publisher::Location;

std::vector<Location> locations(const std::vector<std::string>& ids) {
  std::vector<Location> entries;
  for (const std::string& id : ids) {
    entries.push_back(Location{model::Topic::alerts, id});
  }
  return entries;
}

CORO_TEST(StreamPublisher, KnowsWhichEntriesAreGone) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  StreamBench bench(executor, redis_options());
  co_await until_connected(*bench.redis.client);
  Result<std::vector<std::string>> ids =
      co_await bench.publish(1, 1500);  // More than one pipeline.
  CO_ASSERT_EQ(ids->size(), 1500U);
  (void)co_await bench.redis.ask("XTRIM " + bench.options.alerts_key + " MINID " + (*ids)[3]);
  std::vector<Location> entries = locations(*ids);
  entries.push_back(Location{model::Topic::alerts, "nonsense"});
  entries.push_back(Location{model::Topic::metrics, (*ids)[10]});
  Result<std::vector<bool>> missing =
      co_await bench.publisher.missing(Deadline::after(3s), std::move(entries));
  CO_ASSERT_OK(missing);
  CO_ASSERT_EQ(missing->size(), 1502U);
  EXPECT_TRUE((*missing)[2]);
  EXPECT_FALSE((*missing)[3]);
  EXPECT_FALSE((*missing)[1499]);
  EXPECT_TRUE((*missing)[1500]);
  EXPECT_TRUE((*missing)[1501]);
  co_await bench.redis.finish();
}

CORO_TEST(StreamPublisher, ARefusalOfRedisIsUnavailable) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  StreamBench bench(executor, server.options());
  co_await until_connected(*bench.redis.client);
  (void)co_await bench.redis.ask("CONFIG SET maxmemory 1");
  std::vector<model::Event> events = make_events(model::Topic::alerts, 1, 2);
  Result<std::vector<std::string>> ids =
      co_await bench.publisher.publish(Deadline::after(3s), std::move(events));
  EXPECT_EQ(ids.error().code, Errc::unavailable);
  EXPECT_NE(ids.error().message.find("OOM"), std::string::npos);
  EXPECT_EQ(series_value(bench.redis.metrics, "sensus_stream_publish_errors_total"), 1);
  (void)co_await bench.redis.ask("CONFIG SET maxmemory 0");
  Result<std::vector<std::string>> again = co_await bench.publish(1, 2);
  EXPECT_EQ(again->size(), 2U);
  co_await bench.redis.finish();
}

}  // namespace
}  // namespace sensus::test
