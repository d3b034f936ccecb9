#include "sensus/runtime/blocking_pool.hpp"

#include "sensus/runtime/task_group.hpp"
#include "support/coro_test.hpp"

#include <boost/asio/this_coro.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

namespace sensus::runtime {
namespace {

namespace asio = boost::asio;
using IntJob = std::function<Result<int>(JobContext&)>;

/// Holds a pool thread until it is opened.
class Gate {
 public:
  void open() { promise_.set_value(); }
  [[nodiscard]] IntJob job(int value) {
    auto future = future_;
    return [future, value](JobContext&) -> Result<int> {
      future.wait();
      return value;
    };
  }

 private:
  std::promise<void> promise_;
  std::shared_future<void> future_ = promise_.get_future().share();
};

Task collect(BlockingPool& pool, Deadline deadline, IntJob job, std::optional<Result<int>>& out) {
  out = co_await pool.submit<int>(deadline, std::move(job));
}

CORO_TEST(BlockingPool, ANicePoolYieldsAndNobodyElseDoes) {
  telemetry::Metrics metrics;
  const auto executor = co_await asio::this_coro::executor;
  const BlockingPoolOptions options{"nice", 2, 4, 7};
  BlockingPool pool(executor, options, metrics);
  IntJob job = [](JobContext&) -> Result<int> { return ::getpriority(PRIO_PROCESS, 0); };
  const int before = ::getpriority(PRIO_PROCESS, 0);
  const auto inside = co_await pool.submit<int>(Deadline::after(std::chrono::seconds{5}), std::move(job));
  CO_ASSERT_OK(inside);
  EXPECT_EQ(*inside, std::min(std::max(before, 7), 19));
  EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), before);
  pool.stop_blocking();
}

CORO_TEST(BlockingPool, RunsOnAnotherThreadAndResumesOnTheReactor) {
  telemetry::Metrics metrics;
  const auto executor = co_await asio::this_coro::executor;
  BlockingPool pool(executor, {"test", 2, 8}, metrics);
  const auto reactor_thread = std::this_thread::get_id();
  std::thread::id job_thread;
  IntJob job = [&job_thread](JobContext& context) -> Result<int> {
    job_thread = std::this_thread::get_id();
    return static_cast<int>(context.worker()) * 0 + 42;
  };
  const Result<int> result = co_await pool.submit<int>(Deadline::after(5s), std::move(job));
  CO_ASSERT_OK(result);
  EXPECT_EQ(*result, 42);
  EXPECT_NE(job_thread, reactor_thread);
  EXPECT_EQ(std::this_thread::get_id(), reactor_thread);
}

CORO_TEST(BlockingPool, AnErrorAndAnExceptionBecomeErrors) {
  telemetry::Metrics metrics;
  const auto executor = co_await asio::this_coro::executor;
  BlockingPool pool(executor, {"test", 1, 8}, metrics);
  IntJob failing = [](JobContext&) -> Result<int> { return make_error(Errc::conflict, "no"); };
  const Result<int> failed = co_await pool.submit<int>(Deadline::after(5s), std::move(failing));
  EXPECT_EQ(failed.error().code, Errc::conflict);
  IntJob throwing = [](JobContext&) -> Result<int> { throw std::runtime_error("bad"); };
  const Result<int> thrown = co_await pool.submit<int>(Deadline::after(5s), std::move(throwing));
  EXPECT_EQ(thrown.error().code, Errc::internal);
}

CORO_TEST(BlockingPool, AFullQueueRefusesAtOnce) {
  const auto executor = co_await asio::this_coro::executor;
  telemetry::Metrics metrics;
  Gate gate;
  BlockingPool pool(executor, {"test", 1, 2}, metrics);
  TaskGroup group(executor, telemetry::Log{});
  std::array<std::optional<Result<int>>, 3> out;
  group.spawn("running", collect(pool, Deadline::after(20s), gate.job(0), out[0]));
  while (pool.running() == 0) {
    static_cast<void>(co_await sleep(1ms));
  }
  group.spawn("queued 1", collect(pool, Deadline::after(20s), gate.job(1), out[1]));
  group.spawn("queued 2", collect(pool, Deadline::after(20s), gate.job(2), out[2]));
  static_cast<void>(co_await sleep(1ms));
  const Result<int> refused = co_await pool.submit<int>(Deadline::after(20s), gate.job(3));
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::overloaded);
  gate.open();
  const Result<> stopped = co_await group.stop(10s);
  CO_ASSERT_OK(stopped);
  EXPECT_EQ(**out[2], 2);
}

CORO_TEST(BlockingPool, ADeadlineRemovesAQueuedJob) {
  const auto executor = co_await asio::this_coro::executor;
  telemetry::Metrics metrics;
  Gate gate;
  BlockingPool pool(executor, {"test", 1, 8}, metrics);
  TaskGroup group(executor, telemetry::Log{});
  std::optional<Result<int>> first;
  group.spawn("running", collect(pool, Deadline::after(20s), gate.job(1), first));
  std::atomic<bool> ran{false};
  IntJob late = [&ran](JobContext&) -> Result<int> {
    ran = true;
    return 2;
  };
  static_cast<void>(co_await sleep(5ms));
  const Result<int> result = co_await pool.submit<int>(Deadline::after(10ms), std::move(late));
  CO_ASSERT_TRUE(!result);
  EXPECT_EQ(result.error().code, Errc::timeout);
  EXPECT_EQ(pool.queued(), 0U);
  gate.open();
  static_cast<void>(co_await group.stop(10s));
  EXPECT_FALSE(ran.load());
}

CORO_TEST(BlockingPool, ADeadlineCallsTheCancelHookOfARunningJob) {
  telemetry::Metrics metrics;
  const auto executor = co_await asio::this_coro::executor;
  BlockingPool pool(executor, {"test", 1, 8}, metrics);
  auto cut = std::make_shared<std::promise<void>>();
  IntJob job = [cut](JobContext& context) -> Result<int> {
    context.on_cancel([cut] { cut->set_value(); });
    cut->get_future().wait();
    return 1;
  };
  const Result<int> result = co_await pool.submit<int>(Deadline::after(20ms), std::move(job));
  CO_ASSERT_TRUE(!result);
  EXPECT_EQ(result.error().code, Errc::timeout);
}

CORO_TEST(BlockingPool, CancellingTheCoroutineLeavesTheJobBehind) {
  const auto executor = co_await asio::this_coro::executor;
  telemetry::Metrics metrics;
  Gate gate;
  BlockingPool pool(executor, {"test", 1, 8}, metrics);
  TaskGroup group(executor, telemetry::Log{});
  std::optional<Result<int>> out;
  group.spawn("waiting", collect(pool, Deadline::never(), gate.job(1), out));
  while (pool.running() == 0) {
    static_cast<void>(co_await sleep(1ms));
  }
  const Result<> stopped = co_await group.stop(1ms);
  CO_ASSERT_OK(stopped);
  CO_ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->error().code, Errc::cancelled);
  gate.open();
}

CORO_TEST(BlockingPool, AfterStopNothingIsTaken) {
  telemetry::Metrics metrics;
  const auto executor = co_await asio::this_coro::executor;
  BlockingPool pool(executor, {"test", 1, 8}, metrics);
  pool.stop_blocking();
  IntJob job = [](JobContext&) -> Result<int> { return 1; };
  const Result<int> result = co_await pool.submit<int>(Deadline::after(1s), std::move(job));
  CO_ASSERT_TRUE(!result);
  EXPECT_EQ(result.error().code, Errc::cancelled);
}

}  // namespace
}  // namespace sensus::runtime
