#pragma once

#include "sensus/core/time.hpp"

#include <optional>
#include <string>

namespace sensus::app {

/// Messages to the service manager; nothing happens when there is none (no NOTIFY_SOCKET). Any thread.
void notify_ready(const std::string& status);
void notify_status(const std::string& status);
void notify_reloading();
void notify_stopping();
void notify_watchdog();
/// How often the manager wants to hear notify_watchdog; nullopt when it does not watch.
[[nodiscard]] std::optional<Duration> watchdog_interval();

}  // namespace sensus::app
