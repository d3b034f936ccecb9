#pragma once

#include "sensus/runtime/runtime.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <exception>
#include <functional>

namespace sensus::test {

/// Runs a coroutine on a fresh Runtime to completion; fails the test after `limit`. What the body left running is dropped.
inline void run_coro(const std::function<runtime::Task()>& body, std::chrono::seconds limit = std::chrono::seconds{50}) {
  runtime::Runtime reactor;
  bool done = false;
  boost::asio::steady_timer guard(reactor.executor(), limit);
  guard.async_wait([&](const boost::system::error_code& ec) {
    if (!ec) {
      ADD_FAILURE() << "the test's coroutine did not finish in " << limit.count() << " s";
      reactor.stop();
    }
  });
  boost::asio::co_spawn(reactor.executor(), body(), [&](const std::exception_ptr& failure) {
    done = true;
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& e) {
        ADD_FAILURE() << "the test's coroutine threw: " << e.what();
      }
    }
    guard.cancel();
    reactor.stop();
  });
  reactor.run();
  EXPECT_TRUE(done);
}

}  // namespace sensus::test

/// A test whose body is a coroutine (Task).
#define CORO_TEST(suite, name)                                                      \
  static ::sensus::runtime::Task suite##_##name##_coro();                           \
  TEST(suite, name) { ::sensus::test::run_coro([] { return suite##_##name##_coro(); }); } \
  static ::sensus::runtime::Task suite##_##name##_coro()

/// The same with a fixture, whose members the body may use.
#define CORO_TEST_F(fixture, name)                                          \
  class fixture##_##name : public fixture {                                 \
   protected:                                                               \
    ::sensus::runtime::Task coro_body();                                    \
  };                                                                        \
  TEST_F(fixture##_##name, runs) {                                          \
    ::sensus::test::run_coro([this] { return coro_body(); });               \
  }                                                                         \
  ::sensus::runtime::Task fixture##_##name::coro_body()

// gtest's ASSERT_* use plain return, which a coroutine may not.
#define CO_ASSERT_TRUE(condition)                     \
  if (!(condition)) {                                 \
    ADD_FAILURE() << "expected true: " << #condition; \
    co_return;                                        \
  }                                                   \
  static_assert(true)
/// For a Result: shows the error.
#define CO_ASSERT_OK(result)                                                                                \
  if (!(result)) {                                                                                          \
    ADD_FAILURE() << #result << " failed: " << ::sensus::to_string((result).error().code) << ": "           \
                  << (result).error().message;                                                              \
    co_return;                                                                                              \
  }                                                                                                         \
  static_assert(true)
#define CO_ASSERT_EQ(a, b)  \
  if (!((a) == (b))) {      \
    EXPECT_EQ(a, b);        \
    co_return;              \
  }                         \
  static_assert(true)
