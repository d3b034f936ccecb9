#include "fake_server.hpp"

#include "redis/link_internal.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/runtime/task_group.hpp"
#include "support/coro_test.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sstream>

namespace sensus::redis::test {
namespace {
namespace asio = boost::asio;

Deadline soon(std::chrono::milliseconds d = std::chrono::milliseconds{1000}) {
  return Deadline::after(d);
}

/// Commands are made outside of coroutines: GCC 12 cannot keep an initialiser list of strings in a
/// coroutine frame.
Command words(const std::string& text) {
  Command command;
  std::istringstream in(text);
  for (std::string word; in >> word;) {
    command.push_back(word);
  }
  return command;
}
std::vector<Command> words_of_all(const std::string& text) {
  std::vector<Command> commands;
  std::istringstream in(text);
  for (std::string one; std::getline(in, one, ';');) {
    commands.push_back(words(one));
  }
  return commands;
}

/// A client that runs on the test's reactor against a script.
struct Bench {
  Bench(const runtime::Executor& executor, FakeServer::Script script)
      : tasks(executor, {}),
        server(executor, std::move(script)),
        client(executor, "test", server.options(), {}, metrics) {
    tasks.spawn("client", client.run());
  }
  telemetry::Metrics metrics;
  runtime::TaskGroup tasks;
  FakeServer server;
  Client client;
};

runtime::Task until_connected(const Client& client) {
  const Deadline limit = soon(std::chrono::seconds{5});
  while (!client.connected() && !limit.expired()) {
    (void)co_await runtime::sleep(std::chrono::milliseconds{2});
  }
  EXPECT_TRUE(client.connected()) << client.health().reason;
}

runtime::Task finish(Bench& bench) {
  bench.client.stop();
  Result<> stopped = co_await bench.tasks.stop(std::chrono::seconds{2});
  EXPECT_TRUE(stopped);
  EXPECT_FALSE(bench.client.connected());
}

std::string healthy(const Command& command) {
  const char* greeting = FakeServer::greet(command);
  return greeting != nullptr
             ? greeting
             : "$" + std::to_string(command.back().size()) + "\r\n" + command.back() + "\r\n";
}

double value_of(const telemetry::Metrics& metrics, const std::string& series) {
  const std::string page = metrics.render();
  const std::size_t at = page.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
}

CORO_TEST(RedisClient, GreetsThenAnswersCommandsInOrder) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Bench bench(executor, healthy);
  Result<Reply> early = co_await bench.client.command(soon(), words("ECHO x"));
  EXPECT_EQ(early.error().code, Errc::unavailable);
  EXPECT_EQ(bench.client.health().state, telemetry::HealthState::failed);
  co_await until_connected(bench.client);
  EXPECT_EQ(bench.client.health().state, telemetry::HealthState::ok);
  CO_ASSERT_EQ(bench.server.seen().size(), 3U);
  EXPECT_EQ(bench.server.seen()[1], words("CLIENT SETNAME sensus-test"));

  std::vector<Command> commands = words_of_all("ECHO a;ECHO b;ECHO c");
  Result<std::vector<Reply>> replies = co_await bench.client.pipeline(soon(), commands);
  CO_ASSERT_OK(replies);
  CO_ASSERT_EQ(replies->size(), 3U);
  EXPECT_EQ(*(*replies)[0].text(), "a");
  EXPECT_EQ(*(*replies)[2].text(), "c");
  EXPECT_EQ(value_of(bench.metrics, "redis_connection_pool_size"), 1);
  co_await finish(bench);
  EXPECT_EQ(value_of(bench.metrics, "redis_connection_pool_size"), 0);
}

CORO_TEST(RedisClient, LateReplyIsDiscardedInItsPlace) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  std::string held;
  const FakeServer::Script script = [&held](const Command& command) -> std::string {
    if (command[0] == "SLOW") {
      held = "+slow\r\n";
      return "";
    }
    return std::exchange(held, "") + healthy(command);
  };
  Bench bench(executor, script);
  co_await until_connected(bench.client);
  Result<Reply> slow =
      co_await bench.client.command(soon(std::chrono::milliseconds{30}), words("SLOW"));
  EXPECT_EQ(slow.error().code, Errc::timeout);
  Result<Reply> next = co_await bench.client.command(soon(), words("ECHO mine"));
  CO_ASSERT_OK(next);
  EXPECT_EQ(*next->text(), "mine");
  EXPECT_EQ(value_of(bench.metrics, "sensus_redis_late_replies_total"), 1);
  EXPECT_EQ(value_of(bench.metrics, "sensus_redis_errors_total{code=\"timeout\"}"), 1);
  EXPECT_EQ(bench.server.accepted(), 1);
  co_await finish(bench);
}

CORO_TEST(RedisClient, GarbageDropsTheConnectionAndTheNextOneWorks) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  int garbage = 3;
  const FakeServer::Script script = [&garbage](const Command& command) -> std::string {
    if (command[0] != "ECHO" || garbage == 0) {
      return healthy(command);
    }
    --garbage;
    return garbage == 2   ? "\x16\x03\x01 not resp"
           : garbage == 1 ? "+one\r\n+two that nobody asked for\r\n"
                          : "*1\r\n$2147483647\r\nx\r\n*a\r\n";
  };
  Bench bench(executor, script);
  for (int i = 0; i < 3; ++i) {
    co_await until_connected(bench.client);
    Result<Reply> reply =
        co_await bench.client.command(soon(std::chrono::milliseconds{50}), words("ECHO x"));
    if (i != 2) {
      (void)co_await runtime::sleep(std::chrono::milliseconds{5});
      EXPECT_FALSE(bench.client.connected()) << i;
    } else {
      // Half a reply is no garbage: it is only late.
      EXPECT_EQ(reply.error().code, Errc::timeout);
    }
  }
  EXPECT_EQ(bench.server.accepted(), 3);
  EXPECT_EQ(value_of(bench.metrics, "sensus_redis_protocol_errors_total"), 2);
  co_await finish(bench);
}

CORO_TEST(RedisClient, HangUpFailsWhatIsInFlightAndReconnects) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  const FakeServer::Script script = [](const Command& command) {
    return command[0] == "DIE" ? FakeServer::kHangUp : healthy(command);
  };
  Bench bench(executor, script);
  co_await until_connected(bench.client);
  std::vector<Command> commands = words_of_all("ECHO a;DIE;ECHO b");
  Result<std::vector<Reply>> replies = co_await bench.client.pipeline(soon(), commands);
  EXPECT_EQ(replies.error().code, Errc::unavailable);
  co_await until_connected(bench.client);
  Result<Reply> again = co_await bench.client.command(soon(), words("ECHO c"));
  CO_ASSERT_OK(again);
  EXPECT_EQ(value_of(bench.metrics, "sensus_redis_reconnects_total{connection=\"test\"}"), 1);
  co_await finish(bench);
}

CORO_TEST(RedisClient, ErrorRepliesAreValuesAndCountedByCode) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  const FakeServer::Script script = [](const Command& command) -> std::string {
    return command[0] == "XADD"  ? "-OOM command not allowed\r\n"
           : command[0] == "ODD" ? "-STRANGE thing\r\n"
                                 : healthy(command);
  };
  Bench bench(executor, script);
  co_await until_connected(bench.client);
  Result<Reply> full = co_await bench.client.command(soon(), words("XADD"));
  CO_ASSERT_OK(full);
  EXPECT_EQ(full->error()->text, "OOM command not allowed");
  Result<Reply> odd = co_await bench.client.command(soon(), words("ODD"));
  CO_ASSERT_OK(odd);
  EXPECT_EQ(value_of(bench.metrics, "sensus_redis_errors_total{code=\"OOM\"}"), 1);
  EXPECT_EQ(value_of(bench.metrics, "sensus_redis_errors_total{code=\"other\"}"), 1);
  EXPECT_TRUE(bench.client.connected());
  co_await finish(bench);
}

CORO_TEST(RedisClient, ReadOnlyServerIsLeftForANewConnection) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  bool replica = true;
  const FakeServer::Script script = [&replica](const Command& command) -> std::string {
    return command[0] == "XADD" && std::exchange(replica, false) ? "-READONLY You can't write\r\n"
                                                                 : healthy(command);
  };
  Bench bench(executor, script);
  co_await until_connected(bench.client);
  Result<Reply> refused = co_await bench.client.command(soon(), words("XADD 1"));
  CO_ASSERT_OK(refused);
  EXPECT_NE(refused->error(), nullptr);
  EXPECT_FALSE(bench.client.connected());
  co_await until_connected(bench.client);
  EXPECT_EQ(bench.server.accepted(), 2);
  co_await finish(bench);
}

CORO_TEST(RedisClient, RefusedGreetingIsNamedAndRetried) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  int refusals = 2;
  const FakeServer::Script script = [&refusals](const Command& command) -> std::string {
    return command[0] == "PING" && refusals-- > 0 ? "-NOAUTH Authentication required.\r\n"
                                                  : healthy(command);
  };
  Bench bench(executor, script);
  (void)co_await runtime::sleep(std::chrono::milliseconds{20});
  EXPECT_NE(bench.client.health().reason.find("NOAUTH"), std::string::npos);
  co_await until_connected(bench.client);
  EXPECT_EQ(bench.server.accepted(), 3);
  co_await finish(bench);
}

CORO_TEST(RedisClient, SilentServerIsGivenUpAtTheConnectTimeout) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  Bench bench(executor, [](const Command&) { return std::string{}; });
  (void)co_await runtime::sleep(std::chrono::milliseconds{450});
  EXPECT_GE(bench.server.accepted(), 2);
  EXPECT_FALSE(bench.client.connected());
  co_await finish(bench);
}

CORO_TEST(RedisClient, StopFailsPendingCommandsAsCancelled) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  const FakeServer::Script script = [](const Command& command) -> std::string {
    return command[0] == "WAIT" ? "" : healthy(command);
  };
  Bench bench(executor, script);
  co_await until_connected(bench.client);
  asio::steady_timer stopper(executor, std::chrono::milliseconds{10});
  stopper.async_wait([&bench](const boost::system::error_code&) { bench.client.stop(); });
  Result<Reply> reply = co_await bench.client.command(soon(), words("WAIT"));
  EXPECT_EQ(reply.error().code, Errc::cancelled);
  co_await finish(bench);
}

/// A waiter's command on a bare link.
runtime::Async<std::vector<Reply>> ask(std::shared_ptr<Link> link, Deadline deadline,
                                       Command command) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  auto waiter = std::make_shared<Waiter>(executor);
  std::string bytes;
  append_command(bytes, command);
  Result<> sent = link->send(bytes, 1, deadline, waiter);
  if (!sent) {
    co_return std::move(sent).error();
  }
  waiter->wake.expires_at(deadline.at());
  co_await waiter->wake.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!waiter->done) {
    waiter->abandoned = true;
    co_return make_error(Errc::timeout, "");
  }
  if (waiter->error) {
    co_return *waiter->error;
  }
  co_return std::move(waiter->replies);
}

CORO_TEST(RedisLink, IsDroppedWhenTheOldestCommandIsOverdue) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  FakeServer server(executor, [](const Command&) { return std::string{}; });
  telemetry::Metrics metrics;
  Socket socket(executor);
  const auto port = static_cast<std::uint16_t>(server.options().port);
  socket.connect(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port));
  LinkLimits limits;
  limits.overdue = std::chrono::milliseconds{60};
  limits.commands = 2;
  auto link = std::make_shared<Link>(executor, std::move(socket),
                                     std::make_shared<const Instruments>(metrics, "x"), limits);
  link->start();
  Result<std::vector<Reply>> first =
      co_await ask(link, soon(std::chrono::milliseconds{20}), words("ONE"));
  EXPECT_EQ(first.error().code, Errc::timeout);
  EXPECT_TRUE(link->open());
  const auto started = std::chrono::steady_clock::now();
  Result<std::vector<Reply>> second =
      co_await ask(link, soon(std::chrono::seconds{5}), words("TWO"));
  EXPECT_EQ(second.error().code, Errc::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds{2});
  EXPECT_FALSE(link->open());
  Result<std::vector<Reply>> third = co_await ask(link, soon(), words("THREE"));
  EXPECT_EQ(third.error().code, Errc::unavailable);
}

CORO_TEST(RedisLink, RefusesCommandsOverItsLimit) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  FakeServer server(executor, [](const Command&) { return std::string{}; });
  telemetry::Metrics metrics;
  Socket socket(executor);
  const auto port = static_cast<std::uint16_t>(server.options().port);
  socket.connect(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port));
  LinkLimits limits;
  limits.commands = 2;
  auto link = std::make_shared<Link>(executor, std::move(socket),
                                     std::make_shared<const Instruments>(metrics, "x"), limits);
  link->start();
  auto waiter = std::make_shared<Waiter>(executor);
  EXPECT_TRUE(link->send("*1\r\n$1\r\nA\r\n", 1, soon(), waiter));
  EXPECT_TRUE(link->send("*1\r\n$1\r\nB\r\n", 1, soon(), waiter));
  Result<> third = link->send("*1\r\n$1\r\nC\r\n", 1, soon(), waiter);
  EXPECT_EQ(third.error().code, Errc::overloaded);
  link->close(make_error(Errc::cancelled, "done"));
}

}  // namespace
}  // namespace sensus::redis::test
