#include "read_seats_internal.hpp"

#include "sensus/runtime/signal.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <string>

namespace sensus::api {

struct ReadSeats::Seat::Waiter {
  explicit Waiter(runtime::Executor executor) : woken(std::move(executor)) {}
  runtime::Signal woken;
  bool seated = false;  ///< The seat of one who left was handed to it.
};

ReadSeats::ReadSeats(std::size_t seats, std::size_t waiting_max, telemetry::Log log,
                     telemetry::Metrics& metrics)
    : seats_(seats),
      waiting_max_(waiting_max),
      log_(std::move(log)),
      running_gauge_(metrics.gauge("sensus_api_reads_running", "Reads of samples that run now.")),
      waiting_gauge_(metrics.gauge("sensus_api_reads_waiting", "Reads of samples that wait for others to end.")),
      refused_full_(metrics.counter("sensus_api_reads_refused_total", "Reads of samples refused with 503.",
                                    {{"reason", "too_many"}})),
      refused_late_(metrics.counter("sensus_api_reads_refused_total", "Reads of samples refused with 503.",
                                    {{"reason", "waited"}})) {}

ReadSeats::Seat::~Seat() {
  if (waiter_ && !waiter_->seated) {
    std::erase(seats_.waiting_, waiter_);
    seats_.refresh();
  }
  if (seated_ || (waiter_ && waiter_->seated)) {
    seats_.give_back();
  }
}

runtime::Async<> ReadSeats::Seat::take(Deadline deadline) {
  if (seats_.taken_ < seats_.seats_) {
    ++seats_.taken_;
    seated_ = true;
    seats_.refresh();
    co_return Result<>{};
  }
  if (seats_.waiting_.size() >= seats_.waiting_max_) {
    co_return seats_.refuse(seats_.refused_full_, Errc::overloaded);
  }
  const auto executor = co_await boost::asio::this_coro::executor;
  waiter_ = std::make_shared<Waiter>(executor);
  seats_.waiting_.push_back(waiter_);
  seats_.refresh();
  static_cast<void>(co_await waiter_->woken.wait(deadline));
  if (!waiter_->seated) {
    std::erase(seats_.waiting_, waiter_);
    waiter_.reset();
    seats_.refresh();
    co_return seats_.refuse(seats_.refused_late_, Errc::timeout);
  }
  co_return Result<>{};
}

void ReadSeats::give_back() {
  if (waiting_.empty()) {
    --taken_;
  } else {
    const auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next->seated = true;
    next->woken.notify();
  }
  refresh();
}

void ReadSeats::refresh() {
  running_gauge_.set(static_cast<double>(taken_));
  waiting_gauge_.set(static_cast<double>(waiting_.size()));
}

Error ReadSeats::refuse(telemetry::Counter& counter, Errc code) {
  counter.inc();
  log_.throttled(telemetry::LogLevel::warning, "reads_refused",
                 "reads of samples are refused with 503: too many came at once, or each takes too long; see who asks, "
                 "and api.reads_at_once",
                 {{"running", std::to_string(taken_)}, {"waiting", std::to_string(waiting_.size())}});
  return make_error(code, "too many reads of samples run or wait; try again later, or ask for fewer series or a shorter range");
}

}  // namespace sensus::api
