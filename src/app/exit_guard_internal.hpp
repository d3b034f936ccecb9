#pragma once

#include "sensus/core/deadline.hpp"

#include <condition_variable>
#include <mutex>
#include <thread>

namespace sensus::app {

/// Ends the process with code 1 when a graceful stop takes longer than it may, whatever hangs. **Threading**: one thread of its own
/// between `arm` and destruction, which disarms.
class ExitGuard {
 public:
  ExitGuard() = default;
  ~ExitGuard();
  ExitGuard(const ExitGuard&) = delete;
  ExitGuard& operator=(const ExitGuard&) = delete;
  void arm(Deadline deadline);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool disarmed_ = false;
  std::thread thread_;
};

}  // namespace sensus::app
