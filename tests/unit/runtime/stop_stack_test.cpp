#include "sensus/runtime/stop_stack.hpp"

#include "support/coro_test.hpp"

#include <stdexcept>

namespace sensus::runtime {
namespace {

Async<> fail_step() { co_return make_error(Errc::timeout, "too slow"); }

Async<> throw_step() {
  throw std::runtime_error("broken");
  co_return Result<>{};
}

CORO_TEST(StopStack, RunsInReverseAndGoesOnAfterFailures) {
  StopStack stack{telemetry::Log{}};
  std::vector<std::string> order;
  stack.push_now("first", [&order] { order.push_back("first"); });
  stack.push("throws", [](Deadline) { return throw_step(); });
  stack.push("fails", [](Deadline) { return fail_step(); });
  stack.push_now("last", [&order] { order.push_back("last"); });

  const Result<> result = co_await stack.unwind(Deadline::after(1s));

  EXPECT_EQ(order, (std::vector<std::string>{"last", "first"}));
  CO_ASSERT_TRUE(!result);
  EXPECT_EQ(result.error().code, Errc::timeout);
}

CORO_TEST(StopStack, UnwindingTwiceRunsNothingTwice) {
  StopStack stack{telemetry::Log{}};
  int runs = 0;
  stack.push_now("once", [&runs] { ++runs; });
  const Result<> first = co_await stack.unwind(Deadline::after(1s));
  const Result<> second = co_await stack.unwind(Deadline::after(1s));
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace sensus::runtime
