#pragma once

#include "sensus/telemetry/metrics.hpp"

#include <map>
#include <string>
#include <string_view>

namespace sensus::redis {

/// The metrics of one client; families are shared by all clients. **Threading**: reactor.
class Instruments {
 public:
  Instruments(telemetry::Metrics& metrics, std::string_view connection);

  /// `code`: the first word of an error reply, or "timeout", "disconnected", "connect",
  /// "overloaded". Unknown ones count as "other".
  void error(std::string_view code) const;

  telemetry::Gauge connected;
  telemetry::Gauge pool_size;
  telemetry::Gauge in_flight;
  telemetry::Counter reconnects;
  telemetry::Counter protocol_errors;
  telemetry::Counter late_replies;
  telemetry::Histogram command_seconds;

 private:
  std::map<std::string, telemetry::Counter, std::less<>> errors_;
};

}  // namespace sensus::redis
