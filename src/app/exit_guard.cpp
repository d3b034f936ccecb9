#include "exit_guard_internal.hpp"

#include <csignal>
#include <cstdlib>
#include <pthread.h>
#include <string_view>
#include <unistd.h>

namespace sensus::app {

ExitGuard::~ExitGuard() {
  {
    const std::lock_guard lock(mutex_);
    disarmed_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void ExitGuard::arm(Deadline deadline) {
  if (thread_.joinable()) {
    return;
  }
  thread_ = std::thread([this, deadline] {
    pthread_setname_np(pthread_self(), "exit-guard");
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, deadline.at(), [this] { return disarmed_; })) {
      constexpr std::string_view kText = "sensusd: stopping took longer than service.shutdown_timeout; exiting\n";
      static_cast<void>(!::write(STDERR_FILENO, kText.data(), kText.size()));
      std::_Exit(1);
    }
  });
}

}  // namespace sensus::app
