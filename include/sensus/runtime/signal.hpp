#pragma once

#include "sensus/runtime/async.hpp"

#include <memory>

namespace sensus::runtime {

/// Wakes coroutines: `notify` wakes every waiter, or, with none waiting, the next one that comes. **Threading**: reactor only.
class Signal {
 public:
  explicit Signal(Executor executor);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  void notify();
  /// True when notified, false when the deadline passed. Throws operation_aborted when the coroutine is cancelled.
  [[nodiscard]] boost::asio::awaitable<bool> wait(Deadline deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sensus::runtime
