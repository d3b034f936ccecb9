#include "sensus/runtime/task_group.hpp"

#include "support/coro_test.hpp"

#include <boost/asio/this_coro.hpp>

#include <stdexcept>

namespace sensus::runtime {
namespace {

namespace asio = boost::asio;

Task set_after(Duration d, bool& flag) {
  static_cast<void>(co_await sleep(d));
  flag = true;
}

Task run_for_ever(bool& unwound) {
  struct Unwinding {
    bool& flag;
    ~Unwinding() { flag = true; }
  };
  const Unwinding guard{unwound};
  for (;;) {
    static_cast<void>(co_await sleep(1h));
  }
}

Task throw_at_once() {
  throw std::runtime_error("boom");
  co_return;
}

CORO_TEST(TaskGroup, StopLetsChildrenEndByThemselvesWithinTheGrace) {
  const auto executor = co_await asio::this_coro::executor;
  TaskGroup group(executor, telemetry::Log{});
  bool done = false;
  group.spawn("short", set_after(10ms, done));
  const Result<> stopped = co_await group.stop(5s);
  CO_ASSERT_OK(stopped);
  EXPECT_TRUE(done);
  EXPECT_EQ(group.size(), 0U);
}

CORO_TEST(TaskGroup, StopCancelsWhatDoesNotEnd) {
  const auto executor = co_await asio::this_coro::executor;
  TaskGroup group(executor, telemetry::Log{});
  bool unwound = false;
  group.spawn("endless", run_for_ever(unwound));
  const Result<> stopped = co_await group.stop(10ms);
  CO_ASSERT_OK(stopped);
  EXPECT_TRUE(unwound);
}

CORO_TEST(TaskGroup, ADeadChildIsReported) {
  std::string name;
  std::string what;
  auto on_failure = [&](std::string n, std::string w) {
    name = std::move(n);
    what = std::move(w);
  };
  const auto executor = co_await asio::this_coro::executor;
  TaskGroup group(executor, telemetry::Log{}, on_failure);
  group.spawn("worker", throw_at_once());
  static_cast<void>(co_await group.stop(1s));
  EXPECT_EQ(name, "worker");
  EXPECT_EQ(what, "boom");
}

}  // namespace
}  // namespace sensus::runtime
