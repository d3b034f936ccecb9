#include "systemd_internal.hpp"

#include <cstdint>
#include <ctime>
#include <systemd/sd-daemon.h>

namespace sensus::app {

void notify_ready(const std::string& status) { ::sd_notify(0, ("READY=1\nSTATUS=" + status).c_str()); }

void notify_status(const std::string& status) { ::sd_notify(0, ("STATUS=" + status).c_str()); }

void notify_reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t us = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  // Type=notify-reload of newer systemd versions wants the time.
  ::sd_notify(0, ("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us)).c_str());
}

void notify_stopping() { ::sd_notify(0, "STOPPING=1\nSTATUS=stopping"); }

void notify_watchdog() { ::sd_notify(0, "WATCHDOG=1"); }

std::optional<Duration> watchdog_interval() {
  std::uint64_t usec = 0;
  if (::sd_watchdog_enabled(0, &usec) <= 0) {
    return std::nullopt;
  }
  return std::chrono::microseconds{usec} / 2;
}

}  // namespace sensus::app
