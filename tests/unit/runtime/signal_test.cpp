#include "sensus/runtime/signal.hpp"

#include "support/coro_test.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

namespace sensus::runtime {
namespace {

namespace asio = boost::asio;

Task count_wake_up(Signal& signal, int& woken) {
  const bool notified = co_await signal.wait(Deadline::after(5s));
  woken += notified ? 1 : 0;
}

CORO_TEST(Signal, NotifyWakesEveryWaiter) {
  const auto executor = co_await asio::this_coro::executor;
  Signal signal(executor);
  int woken = 0;
  for (int i = 0; i < 3; ++i) {
    asio::co_spawn(executor, count_wake_up(signal, woken), asio::detached);
  }
  static_cast<void>(co_await sleep(1ms));
  signal.notify();
  static_cast<void>(co_await sleep(1ms));
  EXPECT_EQ(woken, 3);
}

CORO_TEST(Signal, ANotificationBeforeTheWaitIsKeptOnce) {
  const auto executor = co_await asio::this_coro::executor;
  Signal signal(executor);
  signal.notify();
  signal.notify();
  const bool first = co_await signal.wait(Deadline::after(5s));
  const bool second = co_await signal.wait(Deadline::after(1ms));
  EXPECT_TRUE(first);
  EXPECT_FALSE(second);
}

}  // namespace
}  // namespace sensus::runtime
