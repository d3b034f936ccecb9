#include "sensus/redis/client.hpp"

#include "support/coro_test.hpp"
#include "support/redis_bench.hpp"
#include "support/services.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <csignal>

namespace sensus::test {
namespace {
namespace asio = boost::asio;
using namespace std::chrono_literals;

runtime::Async<int> server_pid(RedisBench& bench) {
  Result<redis::Reply> info = co_await bench.ask("INFO server");
  const std::string& text = *info->text();
  co_return std::stoi(text.substr(text.find("process_id:") + 11));
}

CORO_TEST(RedisFaults, AnythingInFlightFailsWhenTheServerIsKilledAndANewOneIsFound) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  RedisBench bench(executor, server.options());
  co_await until_connected(*bench.client);
  Result<int> pid = co_await server_pid(bench);
  asio::steady_timer later(executor, 50ms);
  const int victim = *pid;
  later.async_wait([victim](const boost::system::error_code&) { ::kill(victim, SIGKILL); });
  redis::Command blocked = words("XREAD BLOCK 5000 STREAMS nothing 0");
  Result<redis::Reply> reply =
      co_await bench.client->command(Deadline::after(8s), std::move(blocked));
  EXPECT_EQ(reply.error().code, Errc::unavailable);
  redis::Command ping = words("PING");
  Result<redis::Reply> away = co_await bench.client->command(Deadline::after(1s), std::move(ping));
  EXPECT_EQ(away.error().code, Errc::unavailable);
  EXPECT_EQ(bench.client->health().state, telemetry::HealthState::failed);
  server.kill();
  server.start();
  co_await until_connected(*bench.client);
  (void)co_await bench.ask("PING");
  EXPECT_GE(series_value(bench.metrics, "sensus_redis_reconnects_total{connection=\"bench\"}"), 1);
  co_await bench.finish();
}

CORO_TEST(RedisFaults, StartsBeforeTheServer) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  server.stop();
  RedisBench bench(executor, server.options());
  (void)co_await runtime::sleep(100ms);
  EXPECT_FALSE(bench.client->connected());
  server.start();
  co_await until_connected(*bench.client);
  co_await bench.finish();
}

CORO_TEST(RedisFaults, APausedServerCostsTimeoutsButNotTheConnection) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  RedisBench bench(executor, server.options());
  co_await until_connected(*bench.client);
  (void)co_await bench.ask("CLIENT PAUSE 600");
  for (int i = 0; i < 3; ++i) {
    redis::Command echo = words("ECHO late" + std::to_string(i));
    Result<redis::Reply> reply =
        co_await bench.client->command(Deadline::after(50ms), std::move(echo));
    EXPECT_EQ(reply.error().code, Errc::timeout);
  }
  Result<redis::Reply> mine = co_await bench.ask("ECHO mine");
  CO_ASSERT_OK(mine);
  EXPECT_EQ(*mine->text(), "mine");
  EXPECT_EQ(series_value(bench.metrics, "sensus_redis_late_replies_total"), 3);
  EXPECT_EQ(series_value(bench.metrics, "sensus_redis_reconnects_total{connection=\"bench\"}"), 0);
  co_await bench.finish();
}

CORO_TEST(RedisFaults, AStoppedServerIsGivenUpAndFoundAgain) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  redis::Options options = server.options();
  options.connect_timeout = 300ms;
  RedisBench bench(executor, options);
  co_await until_connected(*bench.client);
  Result<int> pid = co_await server_pid(bench);
  ::kill(*pid, SIGSTOP);
  redis::Command ping = words("PING");
  const auto started = std::chrono::steady_clock::now();
  Result<redis::Reply> reply =
      co_await bench.client->command(Deadline::after(100ms), std::move(ping));
  EXPECT_EQ(reply.error().code, Errc::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 1s);
  std::function<bool()> dropped = [&bench] { return !bench.client->connected(); };
  co_await until(dropped, "the connection to be given up");
  EXPECT_GE(std::chrono::steady_clock::now() - started, 2s);
  ::kill(*pid, SIGCONT);
  co_await until_connected(*bench.client);
  (void)co_await bench.ask("PING");
  co_await bench.finish();
}

CORO_TEST(RedisFaults, AReplyOverTheLimitCostsTheConnectionNotTheProcess) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  redis::Options options = server.options();
  options.command_timeout = 30s;  // Sanitizers take seconds over 64 MiB.
  RedisBench bench(executor, options);
  co_await until_connected(*bench.client);
  (void)co_await bench.ask("SETRANGE big " + std::to_string(70 << 20) + " x");
  redis::Command get = words("GET big");
  Result<redis::Reply> reply = co_await bench.client->command(Deadline::after(25s), std::move(get));
  EXPECT_EQ(reply.error().code, Errc::unavailable);
  EXPECT_EQ(series_value(bench.metrics, "sensus_redis_protocol_errors_total"), 1);
  co_await until_connected(*bench.client);
  (void)co_await bench.ask("PING");
  co_await bench.finish();
}

CORO_TEST(RedisFaults, TooManyClientsIsRetried) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  RedisBench first(executor, server.options());
  co_await until_connected(*first.client);
  (void)co_await first.ask("CONFIG SET maxclients 1");
  RedisBench second(executor, server.options());
  std::function<bool()> refused = [&second] {
    return second.client->health().reason.find("max number of clients") != std::string::npos;
  };
  co_await until(refused, "the refusal");
  (void)co_await first.ask("CONFIG SET maxclients 10");
  co_await until_connected(*second.client);
  co_await second.finish();
  co_await first.finish();
}

CORO_TEST(RedisFaults, AFullServerRefusesWritesAndIsCounted) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  PrivateRedis server;
  RedisBench bench(executor, server.options());
  co_await until_connected(*bench.client);
  (void)co_await bench.ask("CONFIG SET maxmemory 1");
  redis::Command add = words("XADD s * a b");
  Result<redis::Reply> reply = co_await bench.client->command(Deadline::after(1s), std::move(add));
  CO_ASSERT_OK(reply);
  CO_ASSERT_TRUE(reply->error() != nullptr);
  EXPECT_EQ(series_value(bench.metrics, "sensus_redis_errors_total{code=\"OOM\"}"), 1);
  EXPECT_TRUE(bench.client->connected());
  co_await bench.finish();
}

}  // namespace
}  // namespace sensus::test
