#pragma once

#include "sensus/core/byte_size.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/core/ids.hpp"
#include "sensus/http/router.hpp"
#include "sensus/model/alert.hpp"
#include "sensus/model/forecast.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/model/metadata.hpp"
#include "sensus/model/sample.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/storage/alerts.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/last_samples.hpp"
#include "sensus/storage/metadata.hpp"
#include "sensus/storage/feedback.hpp"
#include "sensus/storage/jobs.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/stream/live_feed.hpp"
#include "sensus/telemetry/health.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::api {

struct Options {
  ByteSize body_limit = 32_MiB;  ///< Of ingest bodies; 413 is final for Alertmanager, so it is generous.
  std::chrono::milliseconds request_timeout{5000};
  std::chrono::milliseconds query_timeout{10'000};
  std::int64_t reads_at_once = 2;   ///< Reads of samples; fewer than the sessions of the database.
  std::int64_t reads_waiting = 100;
  bool lifecycle = false;        ///< Allows POST /-/reload.
};
void describe(config::Section& section, Options& options);

/// The verbs of ingest::Ingestor and stream::LiveFeed that the routes use. Each returns the awaitable of a named coroutine; `accept`
/// completes after COMMIT.
using AcceptSamples =
    std::function<runtime::Async<std::size_t>(Deadline, TenantId, model::SampleBatch)>;
/// Of ingest::MetadataKeeper: never waits and never fails.
using NoteMetadata = std::function<void(TenantId, const model::MetadataBatch&)>;
using AcceptAlerts =
    std::function<runtime::Async<std::vector<storage::AlertOutcome>>(Deadline, TenantId, model::AlertBatch)>;
using Subscribe = std::function<runtime::Async<std::unique_ptr<stream::LiveFeed::Subscription>>(
    Deadline, std::optional<std::string> last_event_id)>;
/// Of analysis::Forecaster.
using Forecast =
    std::function<runtime::Async<std::vector<model::SeriesForecast>>(Deadline, TenantId, model::ForecastQuery)>;

/// Exactly what the routes use. **Lifetime**: all of it outlives the router.
struct Deps {
  AcceptSamples accept_samples;
  NoteMetadata note_metadata;
  AcceptAlerts accept_alerts;
  Subscribe subscribe;
  Forecast forecast;
  storage::AlertStore& alerts;
  storage::AnalysisStore& analyses;
  storage::ModelStore& models;
  storage::JobStore& jobs;
  storage::FeedbackStore& feedback;
  storage::SampleStore& samples;
  storage::MetadataStore& metadata;
  storage::LastSampleStore& last_samples;
  telemetry::Health& health;
  telemetry::Metrics& metrics;
  telemetry::Log log;
  const Clock& clock;
  model::InputLimits limits;
  std::string environment;                ///< Shown by /healthz/ready.
  std::string version;
  runtime::BlockingPool* parse_pool = nullptr;  ///< Reads large bodies; without it the reactor does.
  std::function<bool()> started;          ///< /healthz/startup
  std::function<bool()> draining;         ///< After SIGTERM: not ready.
  std::function<void()> wake_models;      ///< Another version was activated.
  std::function<void()> wake_jobs;        ///< A job was made: no need to wait for the next look.
  std::function<Result<>()> reload;       ///< Re-reads the configuration.
};

/// Every route of the daemon. **Threading**: handlers run on the reactor. The router keeps a copy of `deps`.
[[nodiscard]] http::Router make_router(const Deps& deps, const Options& options);

/// The OpenAPI 3.1 document of exactly these routes; routes that are not the API's own (a console) are left out.
[[nodiscard]] std::string render_openapi(const http::Router& router, const std::string& version);

}  // namespace sensus::api
