#include "http_metrics_internal.hpp"

#include <cstddef>

namespace sensus::http {
namespace {

constexpr std::string_view kRequestsName = "http_requests_total";
constexpr std::string_view kRequestsHelp = "HTTP requests answered, by method, route pattern and status.";

}  // namespace

EndpointMetrics::EndpointMetrics(telemetry::Metrics& metrics, std::string endpoint, bool probe)
    : metrics_(metrics),
      endpoint_(std::move(endpoint)),
      probe_(probe),
      duration_(metrics.histogram("http_request_duration_seconds",
                                  "Time from a request's head to its response, streams excepted, by route pattern.",
                                  telemetry::latency_buckets(), {{"endpoint", endpoint_}})),
      errors_(metrics.counter("http_requests_errors_total", "HTTP requests answered with a 5xx, probes excepted, by route pattern.",
                              {{"endpoint", endpoint_}})) {}

telemetry::Counter EndpointMetrics::resolve(Method method, int status) {
  const std::string status_text = std::to_string(status);
  return metrics_.counter(kRequestsName, kRequestsHelp,
                          {{"method", to_string(method)}, {"endpoint", endpoint_}, {"status", status_text}});
}

void EndpointMetrics::count(Method method, int status) {
  if (status >= 500 && !probe_) {
    errors_.inc();
  }
  auto& known = requests_[static_cast<std::size_t>(method)];
  for (const auto& [code, counter] : known) {
    if (code == status) {
      counter.inc();
      return;
    }
  }
  known.emplace_back(status, resolve(method, status));
  known.back().second.inc();
}

HttpMetrics::HttpMetrics(telemetry::Metrics& metrics, const Router& router)
    : connections(metrics.gauge("sensus_http_connections", "HTTP connections open now.")),
      body_bytes(metrics.gauge("sensus_http_body_bytes", "Memory of request bodies that arrive or wait for their answer.")),
      rejected_connections_max(metrics.counter("sensus_http_connections_rejected_total",
                                               "Connections closed before a request was read, by reason.",
                                               {{"reason", "connections_max"}})),
      rejected_accept_error(metrics.counter("sensus_http_connections_rejected_total",
                                            "Connections closed before a request was read, by reason.",
                                            {{"reason", "accept_error"}})),
      router_(router),
      unmatched_(metrics, "unmatched", false) {
  for (const Route& route : router.routes()) {
    auto& endpoint = by_pattern_[route.pattern];
    if (!endpoint) {
      endpoint = std::make_unique<EndpointMetrics>(metrics, route.pattern, route.probe);
    }
    by_route_.push_back(endpoint.get());
  }
  for (const char* reason : {"malformed", "framing", "host", "target", "head_too_large", "body_too_large", "body_memory", "content_encoding"}) {
    refused_.emplace(reason, metrics.counter("sensus_http_requests_refused_total",
                                             "Requests refused by the parser or the framing guard, by reason.",
                                             {{"reason", reason}}));
  }
  for (const char* phase : {"idle", "header", "body", "write", "handler"}) {
    timeouts_.emplace(phase, metrics.counter("sensus_http_timeouts_total",
                                             "Deadlines that passed on a connection, by what it was doing.",
                                             {{"phase", phase}}));
  }
}

EndpointMetrics& HttpMetrics::endpoint(const Route* route) {
  if (route == nullptr) {
    return unmatched_;
  }
  return *by_route_[static_cast<std::size_t>(route - router_.routes().data())];
}

void HttpMetrics::inc(const Labelled& counters, std::string_view label) {
  if (const auto found = counters.find(label); found != counters.end()) {
    found->second.inc();
  }
}

void HttpMetrics::refused(std::string_view reason) { inc(refused_, reason); }
void HttpMetrics::timed_out(std::string_view phase) { inc(timeouts_, phase); }

}  // namespace sensus::http
