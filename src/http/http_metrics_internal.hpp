#pragma once

#include "sensus/http/router.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::http {

/// The handles of one endpoint (route pattern). Status codes are met once and kept. **Threading**: reactor only.
class EndpointMetrics {
 public:
  EndpointMetrics(telemetry::Metrics& metrics, std::string endpoint, bool probe);
  /// Counts an answer; 5xx also as an error, unless the route is a probe.
  void count(Method method, int status);
  void observe(double seconds) const { duration_.observe(seconds); }
  [[nodiscard]] const std::string& name() const { return endpoint_; }

 private:
  telemetry::Counter resolve(Method method, int status);

  telemetry::Metrics& metrics_;
  std::string endpoint_;
  bool probe_;
  std::array<std::vector<std::pair<int, telemetry::Counter>>, 8> requests_;  ///< By Method.
  telemetry::Histogram duration_;
  telemetry::Counter errors_;
};

class HttpMetrics {
 public:
  HttpMetrics(telemetry::Metrics& metrics, const Router& router);

  /// The endpoint of a route of the router, or "unmatched" for nullptr.
  [[nodiscard]] EndpointMetrics& endpoint(const Route* route);
  void refused(std::string_view reason);
  void timed_out(std::string_view phase);

  telemetry::Gauge connections;
  telemetry::Gauge body_bytes;
  telemetry::Counter rejected_connections_max;
  telemetry::Counter rejected_accept_error;

 private:
  using Labelled = std::map<std::string, telemetry::Counter, std::less<>>;
  static void inc(const Labelled& counters, std::string_view label);

  const Router& router_;
  std::map<std::string, std::unique_ptr<EndpointMetrics>, std::less<>> by_pattern_;
  std::vector<EndpointMetrics*> by_route_;  ///< Parallel to router.routes().
  EndpointMetrics unmatched_;
  Labelled refused_;
  Labelled timeouts_;
};

}  // namespace sensus::http
