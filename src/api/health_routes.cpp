#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <cctype>

namespace sensus::api {
namespace {

using telemetry::HealthState;

struct Readiness {
  bool ready = true;
  bool degraded = false;
  std::string detail;  ///< What is wrong; the first required failure comes first.
  std::vector<telemetry::Health::Check> checks;
};

/// "database" -> "Database unavailable: reason"
std::string describe_check(const telemetry::Health::Check& check) {
  std::string out = check.name;
  if (!out.empty()) {
    out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  }
  out += check.report.state == HealthState::failed ? " unavailable" : " degraded";
  return check.report.reason.empty() ? out : out + ": " + check.report.reason;
}

void append_detail(std::string& detail, const std::string& text) { detail += (detail.empty() ? "" : "; ") + text; }

Readiness assess(const State& state) {
  Readiness out;
  out.checks = state.deps.health.check();
  std::string minor;
  if (state.deps.draining()) {
    out.ready = false;
    out.detail = "Shutting down: no new work is accepted";
  } else if (!state.deps.started()) {
    out.ready = false;
    out.detail = "Starting";
  }
  for (const auto& check : out.checks) {
    if (check.report.state == HealthState::ok) {
      continue;
    }
    if (check.required && check.report.state == HealthState::failed) {
      out.ready = false;
      append_detail(out.detail, describe_check(check));
    } else {
      out.degraded = true;
      append_detail(minor, describe_check(check));
    }
  }
  if (!minor.empty()) {
    append_detail(out.detail, minor);
  }
  return out;
}

std::string render_checks(const std::vector<telemetry::Health::Check>& checks) {
  std::string out = "{";
  for (const auto& check : checks) {
    out += out.size() == 1 ? "" : ",";
    out += codec::quote_json(check.name) + (check.report.state == HealthState::failed ? ":false" : ":true");
  }
  return out + "}";
}

http::Response unavailable(std::string body) {
  http::Response response = reply_json(503, std::move(body));
  response.headers.set("Retry-After", "1");
  return response;
}

Reply live(State& /*state*/, const http::Request& /*request*/) { co_return reply_json(200, R"({"status":"alive"})"); }

Reply ready(State& state, const http::Request& /*request*/) {
  const Readiness readiness = assess(state);
  const std::string tail = "\"checks\":" + render_checks(readiness.checks) +
                           ",\"environment\":" + codec::quote_json(state.deps.environment) + "}";
  const std::string detail = "\"detail\":" + codec::quote_json(readiness.detail) + ",";
  if (!readiness.ready) {
    co_return unavailable("{\"status\":\"not_ready\"," + detail + tail);
  }
  if (readiness.degraded) {
    co_return reply_json(200, "{\"status\":\"degraded\"," + detail + tail);
  }
  co_return reply_json(200, "{\"status\":\"ready\"," + tail);
}

Reply startup(State& state, const http::Request& /*request*/) {
  if (!state.deps.started()) {
    co_return unavailable(R"({"status":"starting"})");
  }
  co_return reply_json(200, R"({"status":"started"})");
}

std::string_view check_value(const Readiness& readiness, std::string_view name) {
  for (const auto& check : readiness.checks) {
    if (check.name == name) {
      return check.report.state == HealthState::failed ? "false" : "true";
    }
  }
  return "false";
}

Reply legacy(State& state, const http::Request& /*request*/) {
  const Readiness readiness = assess(state);
  std::string body = "{\"status\":\"";
  body += !readiness.ready ? "unhealthy" : (readiness.degraded ? "degraded" : "healthy");
  body += "\",\"database\":";
  body += check_value(readiness, "database");
  body += ",\"redis\":";
  body += check_value(readiness, "redis");
  body += ",\"environment\":" + codec::quote_json(state.deps.environment) + "}";
  co_return reply_json(200, std::move(body));
}

Reply reload(State& state, const http::Request& /*request*/) {
  if (!state.options.lifecycle) {
    co_return http::Response::problem(403, "forbidden", "Not allowed",
                                      "reloading over HTTP is off: set api.lifecycle to true, or send SIGHUP");
  }
  const auto reloaded = state.deps.reload();
  if (!reloaded) {
    co_return http::Response::problem(500, "reload_failed", "Reload failed",
                                      "the configuration before stays in force: " + reloaded.error().message);
  }
  co_return reply_json(200, R"({"status":"reloaded"})");
}

Reply metrics(State& state, const http::Request& /*request*/) {
  http::Response response = http::Response::text(200, state.deps.metrics.render());
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.headers.set("Cache-Control", "no-store");
  co_return response;
}

Operation probe(std::string_view pattern, OperationHandler handler, std::string_view id, std::string_view summary) {
  Operation operation;
  operation.pattern = pattern;
  operation.handler = handler;
  operation.id = id;
  operation.tag = "operate";
  operation.probe = true;
  operation.summary = summary;
  return operation;
}

Operation ready_probe(std::string_view pattern, std::string_view id, std::string_view summary) {
  Operation operation = probe(pattern, ready, id, summary);
  operation.description = "Degraded means: requests are served, but something optional is away. The query is ignored.";
  operation.responses = {{200, "Ready, or ready but degraded.", kJson, "Ready"}, {503, "Not ready.", kJson, "NotReady"}};
  return operation;
}

Operation live_probe(std::string_view pattern, std::string_view id, std::string_view summary) {
  Operation operation = probe(pattern, live, id, summary);
  operation.responses = {{200, "The process answers.", kJson, "Live"}};
  return operation;
}

Operation legacy_probe(std::string_view pattern, std::string_view id, std::string_view summary) {
  Operation operation = probe(pattern, legacy, id, summary);
  operation.responses = {{200, "The state, in the body only.", kJson, "LegacyHealth"}};
  return operation;
}

Operation startup_probe() {
  Operation operation = probe("/healthz/startup", startup, "healthStartup", "Startup probe");
  operation.responses = {{200, "Started.", kJson, "Startup"}, {503, "Still starting.", kJson, "Startup"}};
  return operation;
}

Operation reload_operation() {
  Operation operation = probe("/-/reload", reload, "reload", "Read the configuration again");
  operation.method = http::Method::post;
  operation.probe = false;
  operation.description = "Off unless `api.lifecycle` is true. All or nothing: on a mistake the configuration before stays in force.";
  operation.problems = {403, 500};
  operation.responses = {{200, "In force.", kJson, "Reloaded"}};
  return operation;
}

Operation metrics_operation() {
  Operation operation = probe("/metrics", metrics, "metrics", "The daemon's own metrics");
  operation.description = "Prometheus text format 0.0.4.";
  operation.responses = {{200, "All families.", "text/plain; version=0.0.4; charset=utf-8", "PrometheusText"}};
  return operation;
}

}  // namespace

Operations health_operations() {
  return {
      live_probe("/healthz/live", "healthLive", "Liveness probe: always 200"),
      ready_probe("/healthz/ready", "healthReady", "Readiness probe"),
      startup_probe(),
      legacy_probe("/healthz", "healthLegacy", "Summary for older checks: always 200"),
      legacy_probe("/health", "health", "The same as /healthz"),
      live_probe("/-/healthy", "lifecycleHealthy", "The same as /healthz/live"),
      ready_probe("/-/ready", "lifecycleReady", "The same as /healthz/ready"),
      reload_operation(),
      metrics_operation(),
  };
}

}  // namespace sensus::api
