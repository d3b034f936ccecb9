#include "read_seats_internal.hpp"

#include "sensus/runtime/signal.hpp"
#include "support/coro_test.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include <optional>
#include <vector>

namespace sensus::api {
namespace {

namespace asio = boost::asio;
using Seat = ReadSeats::Seat;

#define CO_UNTIL(condition)                                                   \
  for (const Deadline until_limit = Deadline::after(30s); !(condition);) {    \
    if (until_limit.expired()) {                                              \
      ADD_FAILURE() << "waited in vain: " << #condition;                      \
      co_return;                                                              \
    }                                                                         \
    static_cast<void>(co_await runtime::sleep(std::chrono::milliseconds{1})); \
  }                                                                           \
  static_assert(true)

struct Rig {
  explicit Rig(std::size_t at_once, std::size_t waiting) : seats(at_once, waiting, telemetry::Log(), metrics) {}

  [[nodiscard]] bool shows(const std::string& line) const {
    return metrics.render().find(line + "\n") != std::string::npos;
  }

  telemetry::Metrics metrics;
  ReadSeats seats;
  std::vector<int> seated;  ///< In this order.
};

runtime::Task sit(Rig& rig, int who, std::chrono::milliseconds patience, runtime::Signal& leave) {
  Seat seat(rig.seats);
  const auto taken = co_await seat.take(Deadline::after(patience));
  if (taken) {
    rig.seated.push_back(who);
    static_cast<void>(co_await leave.wait(Deadline::after(5s)));
  }
}

CORO_TEST(ReadSeats, ThoseWhoWaitAreSeatedInTheOrderTheyCame) {
  const auto executor = co_await asio::this_coro::executor;
  Rig rig(2, 10);
  runtime::Signal leave(executor);
  for (int who = 0; who < 5; ++who) {
    asio::co_spawn(executor, sit(rig, who, 5s, leave), asio::detached);
  }
  CO_UNTIL(rig.seated.size() == 2);
  EXPECT_TRUE(rig.shows("sensus_api_reads_running 2"));
  EXPECT_TRUE(rig.shows("sensus_api_reads_waiting 3"));
  leave.notify();
  CO_UNTIL(rig.seated.size() == 4);
  leave.notify();
  CO_UNTIL(rig.seated.size() == 5);
  EXPECT_EQ(rig.seated, (std::vector<int>{0, 1, 2, 3, 4}));
  leave.notify();
  CO_UNTIL(rig.shows("sensus_api_reads_running 0"));
}

CORO_TEST(ReadSeats, OneTooManyIsRefusedAtOnceAndOneTooLateInTime) {
  const auto executor = co_await asio::this_coro::executor;
  Rig rig(1, 1);
  runtime::Signal leave(executor);
  asio::co_spawn(executor, sit(rig, 0, 5s, leave), asio::detached);
  CO_UNTIL(rig.seated.size() == 1);
  asio::co_spawn(executor, sit(rig, 1, 50ms, leave), asio::detached);
  CO_UNTIL(rig.shows("sensus_api_reads_waiting 1"));
  Seat seat(rig.seats);
  const auto taken = co_await seat.take(Deadline::after(5s));
  EXPECT_EQ(taken.error().code, Errc::overloaded);
  EXPECT_TRUE(rig.shows("sensus_api_reads_refused_total{reason=\"too_many\"} 1"));
  CO_UNTIL(rig.shows("sensus_api_reads_refused_total{reason=\"waited\"} 1"));
  EXPECT_TRUE(rig.shows("sensus_api_reads_waiting 0"));
  leave.notify();
  CO_UNTIL(rig.shows("sensus_api_reads_running 0"));
  Seat later(rig.seats);
  const auto free_again = co_await later.take(Deadline::after(5s));
  CO_ASSERT_OK(free_again);
}

CORO_TEST(ReadSeats, ACancelledReaderLeavesItsPlaceInTheQueue) {
  const auto executor = co_await asio::this_coro::executor;
  Rig rig(1, 2);
  runtime::Signal leave(executor);
  asio::co_spawn(executor, sit(rig, 0, 5s, leave), asio::detached);
  CO_UNTIL(rig.seated.size() == 1);
  asio::cancellation_signal cancel;
  asio::co_spawn(executor, sit(rig, 1, 5s, leave), asio::bind_cancellation_slot(cancel.slot(), asio::detached));
  asio::co_spawn(executor, sit(rig, 2, 5s, leave), asio::detached);
  CO_UNTIL(rig.shows("sensus_api_reads_waiting 2"));
  cancel.emit(asio::cancellation_type::terminal);
  CO_UNTIL(rig.shows("sensus_api_reads_waiting 1"));
  leave.notify();
  CO_UNTIL(rig.seated == (std::vector<int>{0, 2}));
  leave.notify();
  CO_UNTIL(rig.shows("sensus_api_reads_running 0"));
}

}  // namespace
}  // namespace sensus::api
