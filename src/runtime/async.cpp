#include "sensus/runtime/async.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sensus::runtime {

namespace asio = boost::asio;

Async<> sleep(Duration d) {
  const auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, d);
  const auto [ec] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (ec) {
    co_return make_error(Errc::cancelled, "stopped while waiting");
  }
  co_return Result<>{};
}

}  // namespace sensus::runtime
