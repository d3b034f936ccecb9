#include "sensus/redis/client.hpp"

#include "support/coro_test.hpp"
#include "support/redis_bench.hpp"
#include "support/services.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sensus::test {
namespace {
namespace asio = boost::asio;
using namespace std::chrono_literals;

int free_port() {
  asio::io_context context;
  const asio::ip::tcp::acceptor probe(context, {asio::ip::address_v4::loopback(), 0});
  return probe.local_endpoint().port();
}

CORO_TEST(RedisServer, KeepsAnyBytesAndAnswersInOrder) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  RedisBench bench(executor, redis_options());
  co_await until_connected(*bench.client);
  const std::string key = unique_prefix() + "bytes";
  std::string value(200'000, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) {
    value[i] = static_cast<char>(i * 7);
  }
  std::vector<redis::Command> commands;
  commands.push_back(words("SET " + key));
  commands.back().push_back(value);
  commands.push_back(words("GET " + key));
  commands.push_back(words("DEL " + key));
  commands.push_back(words("GET " + key));
  Result<std::vector<redis::Reply>> replies =
      co_await bench.client->pipeline(Deadline::after(3s), std::move(commands));
  CO_ASSERT_OK(replies);
  CO_ASSERT_EQ(replies->size(), 4U);
  EXPECT_EQ(*(*replies)[1].text(), value);
  EXPECT_EQ(*(*replies)[2].integer(), 1);
  EXPECT_TRUE((*replies)[3].is_nil());
  Result<redis::Reply> name = co_await bench.ask("CLIENT GETNAME");
  EXPECT_EQ(*name->text(), "sensus-bench");
  co_await bench.finish();
}

CORO_TEST(RedisServer, SelectsItsDatabase) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  redis::Options options = redis_options();
  options.database = 3;
  RedisBench bench(executor, options);
  co_await until_connected(*bench.client);
  Result<redis::Reply> info = co_await bench.ask("CLIENT INFO");
  EXPECT_NE(info->text()->find(" db=3 "), std::string::npos) << *info->text();
  co_await bench.finish();
}

CORO_TEST(RedisServer, IsReachedByNameOverTcp) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  const PrivateRedis server;
  const int port = free_port();
  RedisBench admin(executor, server.options());
  co_await until_connected(*admin.client);
  (void)co_await admin.ask("CONFIG SET port " + std::to_string(port));
  redis::Options options;
  options.host = "localhost";
  options.port = port;
  RedisBench bench(executor, options);
  co_await until_connected(*bench.client);
  Result<redis::Reply> info = co_await bench.ask("CLIENT INFO");
  EXPECT_NE(info->text()->find("127.0.0.1"), std::string::npos) << *info->text();
  co_await bench.finish();
  co_await admin.finish();
}

CORO_TEST(RedisServer, PasswordsAndUsers) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  const PrivateRedis server;
  RedisBench admin(executor, server.options());
  co_await until_connected(*admin.client);
  (void)co_await admin.ask("ACL SETUSER sensus on >s3cret ~* &* +@all");
  (void)co_await admin.ask("CONFIG SET requirepass open");

  redis::Options named = server.options();
  named.user = "sensus";
  named.password = Secret("s3cret");
  RedisBench user(executor, named);
  co_await until_connected(*user.client);

  redis::Options wrong = server.options();
  wrong.password = Secret("guess");
  RedisBench stranger(executor, wrong);
  redis::Options none = server.options();
  RedisBench silent(executor, none);
  std::function<bool()> refused = [&stranger, &silent] {
    return stranger.client->health().reason.find("WRONGPASS") != std::string::npos &&
           silent.client->health().reason.find("NOAUTH") != std::string::npos;
  };
  co_await until(refused, "both refusals");
  EXPECT_EQ(stranger.client->health().reason.find("guess"), std::string::npos);
  EXPECT_FALSE(stranger.client->connected());

  // The right password comes back into force: recovery by itself.
  (void)co_await admin.ask("CONFIG SET requirepass guess");
  co_await until_connected(*stranger.client);
  co_await user.finish();
  co_await stranger.finish();
  co_await silent.finish();
  co_await admin.finish();
}

}  // namespace
}  // namespace sensus::test
