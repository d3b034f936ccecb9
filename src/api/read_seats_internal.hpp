#pragma once

#include "sensus/runtime/async.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <cstddef>
#include <deque>
#include <memory>

namespace sensus::api {

/// The share of the database's sessions that reads of samples may hold at once, so that alerts, relay and probes always find one.
/// Readers beyond it wait in order of their arrival.
/// **Threading**: reactor. **Lifetime**: outlives its seats. **Limits**: `waiting_max` readers wait; beyond it `overloaded` at once.
class ReadSeats {
 public:
  ReadSeats(std::size_t seats, std::size_t waiting_max, telemetry::Log log, telemetry::Metrics& metrics);
  ReadSeats(const ReadSeats&) = delete;
  ReadSeats& operator=(const ReadSeats&) = delete;

  /// One reader's seat: given back by the destructor, also where the reader is cancelled while it waits.
  class Seat {
   public:
    explicit Seat(ReadSeats& seats) : seats_(seats) {}
    ~Seat();
    Seat(const Seat&) = delete;
    Seat& operator=(const Seat&) = delete;
    /// overloaded when too many wait, timeout when no seat came free in time. Once a seat.
    [[nodiscard]] runtime::Async<> take(Deadline deadline);

   private:
    friend class ReadSeats;
    struct Waiter;
    ReadSeats& seats_;
    bool seated_ = false;
    std::shared_ptr<Waiter> waiter_;
  };

 private:
  void give_back();
  void refresh();
  Error refuse(telemetry::Counter& counter, Errc code);

  std::size_t seats_;
  std::size_t taken_ = 0;
  std::size_t waiting_max_;
  std::deque<std::shared_ptr<Seat::Waiter>> waiting_;  ///< Empty while a seat is free.
  telemetry::Log log_;
  telemetry::Gauge running_gauge_;
  telemetry::Gauge waiting_gauge_;
  telemetry::Counter refused_full_;
  telemetry::Counter refused_late_;
};

}  // namespace sensus::api
