#include "instruments_internal.hpp"

#include <array>

namespace sensus::redis {
namespace {
/// Closed, so that a server cannot make label values.
constexpr std::array kCodes{"ERR",        "OOM",          "READONLY",  "MASTERDOWN", "LOADING",
                            "BUSY",       "NOAUTH",       "WRONGPASS", "NOPERM",     "NOGROUP",
                            "UNBLOCKED",  "WRONGTYPE",    "MISCONF",   "timeout",    "connect",
                            "overloaded", "disconnected", "other"};
}  // namespace

Instruments::Instruments(telemetry::Metrics& metrics, std::string_view connection)
    : connected(metrics.gauge("sensus_redis_connected", "1 while the connection is usable.",
                              {{"connection", connection}})),
      pool_size(metrics.gauge("redis_connection_pool_size", "Open connections to Redis.")),
      in_flight(metrics.gauge("sensus_redis_commands_in_flight",
                              "Commands sent whose reply has not come.",
                              {{"connection", connection}})),
      reconnects(metrics.counter("sensus_redis_reconnects_total",
                                 "Attempts to connect again after a loss or a failed attempt.",
                                 {{"connection", connection}})),
      protocol_errors(metrics.counter(
          "sensus_redis_protocol_errors_total",
          "Connections dropped because of bytes that are no RESP2, or a reply over the limit.")),
      late_replies(metrics.counter("sensus_redis_late_replies_total",
                                   "Replies that came after their deadline and were discarded.")),
      command_seconds(
          metrics.histogram("sensus_redis_command_seconds",
                            "Time to the reply, of commands that do not block by themselves.",
                            telemetry::latency_buckets())) {
  for (const char* code : kCodes) {
    errors_.emplace(
        code, metrics.counter("sensus_redis_errors_total",
                              "Failed commands and error replies by code.", {{"code", code}}));
  }
}

void Instruments::error(std::string_view code) const {
  const auto found = errors_.find(code);
  (found == errors_.end() ? errors_.find("other") : found)->second.inc();
}

}  // namespace sensus::redis
