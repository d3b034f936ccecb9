#pragma once

#include "sensus/core/byte_size.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/http/router.hpp"
#include "sensus/ingest/ingestor.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/stream/live_feed.hpp"
#include "sensus/telemetry/health.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <functional>
#include <string>

namespace sensus::config {
class Section;
}

namespace sensus::api {

struct Options {
  ByteSize body_limit = 32_MiB;  ///< Of ingest bodies; 413 is final for Alertmanager, so it is generous.
  std::chrono::milliseconds request_timeout{5000};
  std::chrono::milliseconds query_timeout{10'000};
  bool lifecycle = false;        ///< Allows POST /-/reload.
};
void describe(config::Section& section, Options& options);

/// Exactly what the routes use. **Lifetime**: all of it outlives the router.
struct Deps {
  ingest::Ingestor& ingestor;
  storage::AlertStore& alerts;
  storage::AnalysisStore& analyses;
  storage::ModelStore& models;
  storage::SampleStore& samples;
  stream::LiveFeed& live_feed;
  telemetry::Health& health;
  telemetry::Metrics& metrics;
  telemetry::Log log;
  const Clock& clock;
  model::InputLimits limits;
  std::string environment;                ///< Shown by /healthz/ready.
  std::string version;
  std::function<bool()> started;          ///< /healthz/startup
  std::function<bool()> draining;         ///< After SIGTERM: not ready.
  std::function<Result<>()> reload;       ///< Re-reads the configuration.
};

[[nodiscard]] http::Router make_router(const Deps& deps, const Options& options);

/// The OpenAPI 3.1 document of exactly these routes.
[[nodiscard]] std::string render_openapi(const http::Router& router, const std::string& version);

}  // namespace sensus::api
