#include "sensus/api/router.hpp"

#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"
#include "sensus/config/section.hpp"

#include <algorithm>
#include <memory>

namespace sensus::api {
namespace {

std::shared_ptr<State> make_state(const Deps& deps, const Options& options) {
  telemetry::Metrics& metrics = deps.metrics;
  const std::string_view rejected = "sensus_api_bodies_rejected_total";
  const std::string_view rejected_help = "Ingest bodies refused as a whole (400); senders do not repeat them";
  return std::make_shared<State>(State{
      .deps = deps,
      .options = options,
      .openapi = {},
      .metrics_rejected = metrics.counter(rejected, rejected_help, {{"kind", "metrics"}}),
      .import_rejected = metrics.counter(rejected, rejected_help, {{"kind", "import"}}),
      .alerts_rejected = metrics.counter(rejected, rejected_help, {{"kind", "alerts"}}),
      .metadata_refused = metrics.counter("sensus_api_metadata_refused_total",
                                          "Damaged entries of metadata in ingest bodies; the samples beside them were taken"),
      .import_exemplars = metrics.counter("sensus_api_import_skipped_exemplars_total",
                                          "Exemplars of imported pages, which are not kept"),
      .otlp = make_otlp_state(metrics),
      .remote_write = make_remote_write_counters(metrics),
      .read_seats = std::make_unique<ReadSeats>(static_cast<std::size_t>(options.reads_at_once), static_cast<std::size_t>(options.reads_waiting),
                              deps.log, metrics),
  });
}

std::vector<std::string> produces_of(const Operation& operation) {
  std::vector<std::string> out;
  // Probes and scrapers get their one format whatever they say in Accept: a 406 there would be an outage of our making.
  if (std::find(operation.problems.begin(), operation.problems.end(), 406) != operation.problems.end()) {
    for (const ResponseDoc& doc : operation.responses) {
      out.emplace_back(doc.content_type);
    }
  }
  return out;
}

Reply run_seated(std::shared_ptr<State> state, OperationHandler handler, http::Request& request) {
  ReadSeats::Seat seat(*state->read_seats);
  Result<> taken = co_await seat.take(request.deadline);
  if (!taken) {
    co_return http::to_response(taken.error());
  }
  auto handling = handler(*state, request);
  auto response = co_await std::move(handling);
  co_return response;
}

http::Route make_route(const Operation& operation, const std::shared_ptr<State>& state) {
  http::Route route;
  route.method = operation.method;
  route.pattern = std::string(operation.pattern);
  const OperationHandler handler = operation.handler;
  if (operation.reads_samples) {
    route.handler = [state, handler](http::Request& request) { return run_seated(state, handler, request); };
  } else {
    route.handler = [state, handler](http::Request& request) { return handler(*state, request); };
  }
  route.produces = produces_of(operation);
  route.deadline = operation.tag == "series" ? state->options.query_timeout : state->options.request_timeout;
  route.probe = operation.probe;
  if (operation.body_limit == BodyLimit::ingest) {
    route.body_limit = state->options.body_limit.bytes;
  }
  if (operation.body_limit == BodyLimit::ingest || !operation.body_schema.empty()) {
    if (!operation.any_body_type) {
      route.content_types = {std::string(operation.body_type)};
    }
    if (!operation.protobuf_schema.empty()) {
      route.content_types.emplace_back(kProtobuf);
    }
    if (!operation.body_encoding.empty()) {
      route.content_encodings = {std::string(operation.body_encoding)};
    }
    if (operation.refusal != nullptr) {
      route.refusal = operation.refusal;
    }
  }
  return route;
}

Operations collect_operations() {
  Operations all;
  for (Operations part : {ingest_operations(), remote_write_operations(), otlp_operations(), alert_operations(), analysis_operations(),
                          model_operations(), forecast_operations(),
                          series_operations(), remote_read_operations(), metadata_operations(),
                          event_operations(), health_operations(), docs_operations()}) {
    std::move(part.begin(), part.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace

const Operations& all_operations() {
  static const Operations all = collect_operations();
  return all;
}

http::Response reply_json(int status, std::string body) {
  http::Response response = http::Response::json(status, std::move(body));
  response.headers.set("Cache-Control", "no-store");
  return response;
}

std::string render_next_cursor(const std::optional<model::PageKey>& next) {
  return next ? codec::quote_json(codec::render_cursor(*next)) : "null";
}

http::Router make_router(const Deps& deps, const Options& options) {
  const auto state = make_state(deps, options);
  http::Router router;
  for (const Operation& operation : all_operations()) {
    router.add(make_route(operation, state));
  }
  state->openapi = render_openapi(router, deps.version);
  return router;
}

void describe(config::Section& section, Options& options) {
  using std::chrono::milliseconds;
  section
      .size("body_limit", options.body_limit, 64_KiB, 256_MiB,
            "Largest body of what senders post, packed and unpacked. Beyond it the answer is 413, which senders do not repeat, so be "
            "generous.")
      .duration("request_timeout", options.request_timeout, milliseconds{100}, milliseconds{60'000},
                "Time a request may take before it is answered with 503. Alertmanager waits about 10s.")
      .duration("query_timeout", options.query_timeout, milliseconds{100}, milliseconds{300'000},
                "The same for /api/v1/series, /api/v1/query_range and /api/v1/read, waiting for their turn included.")
      .integer("reads_at_once", options.reads_at_once, 1, 63,
               "Such reads that run at once, at most. One session of PostgreSQL (database.sessions) is always left to alerts, the relay "
               "and analysis.")
      .integer("reads_waiting", options.reads_waiting, 0, 10'000, "Such reads that may wait for their turn. Beyond it they are answered 503 at once.")
      .boolean("lifecycle", options.lifecycle,
               "Allows POST /-/reload. Whoever reaches the port can then make the daemon read its configuration again.");
}

}  // namespace sensus::api
