#include "operation_internal.hpp"

#include "sensus/codec/alerts_json.hpp"
#include "sensus/codec/exposition_text.hpp"
#include "sensus/codec/metrics_json.hpp"

#include <charconv>

namespace sensus::api {
namespace {

void append_number(std::string& out, std::int64_t number) {
  char digits[24];
  const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), number);
  out.append(digits, error == std::errc{} ? end : digits);
}

/// What differs between the routes of samples.
struct SampleRoute {
  const telemetry::Counter& rejected;
  std::string_view refusal;
};

/// Parsed by the caller: accept, answer. No copy of the batch.
Reply accept_batch(State& state, const http::Request& request, SampleRoute route, model::SampleBatch batch) {
  const std::size_t sent = batch.size();
  auto accepting = state.deps.accept_samples(request.deadline, kDefaultTenant, std::move(batch));
  const auto accepted = co_await std::move(accepting);
  if (!accepted) {
    co_return http::to_response(accepted.error());
  }
  if (*accepted < sent) {
    co_return refuse_body(state, request, route.rejected, route.refusal, series_limit_error(sent, *accepted));
  }
  std::string body = "{\"accepted\":";
  append_number(body, static_cast<std::int64_t>(*accepted));
  body += '}';
  co_return http::Response::json(202, std::move(body));
}

Reply answer_refusal(http::Response refusal) { co_return refusal; }

Reply post_large_metrics(State& state, http::Request& request) {
  std::function<Result<model::SampleBatch>(const std::string&)> parse = [now = state.deps.clock.now(), limits = state.deps.limits](
                                                                            const std::string& body) {
    return codec::parse_metrics_json(body, now, limits);
  };
  auto parsing = parse_body<model::SampleBatch>(state, request, std::move(parse));
  auto batch = co_await std::move(parsing);
  if (!batch) {
    co_return refuse_body(state, request, state.metrics_rejected, "metrics_refused", batch.error());
  }
  auto accepting = accept_batch(state, request, {state.metrics_rejected, "metrics_refused"}, std::move(*batch));
  auto answer = co_await std::move(accepting);
  co_return answer;
}

// The hot path: parse, accept, answer. No JSON library, one coroutine frame.
Reply post_metrics(State& state, http::Request& request) {
  if (request.body.size() >= kParseAside) {
    return post_large_metrics(state, request);
  }
  auto batch = codec::parse_metrics_json(request.body, state.deps.clock.now(), state.deps.limits);
  if (!batch) {
    return answer_refusal(refuse_body(state, request, state.metrics_rejected, "metrics_refused", batch.error()));
  }
  return accept_batch(state, request, {state.metrics_rejected, "metrics_refused"}, std::move(*batch));
}

Reply post_exposition_text(State& state, http::Request& request) {
  const auto format = codec::exposition_format(request.headers.get("Content-Type"), request.body);
  std::function<Result<codec::Exposition>(const std::string&)> parse = [format, now = state.deps.clock.now(), limits = state.deps.limits](
                                                                           const std::string& body) {
    return codec::parse_exposition(body, format, now, limits);
  };
  auto parsing = parse_body<codec::Exposition>(state, request, std::move(parse));
  auto page = co_await std::move(parsing);
  if (!page) {
    co_return refuse_body(state, request, state.import_rejected, "import_refused", page.error());
  }
  note_metadata(state, page->metadata, page->refused_metadata);
  state.import_exemplars.inc(static_cast<double>(page->exemplars));
  auto accepting = accept_batch(state, request, {state.import_rejected, "import_refused"}, std::move(page->samples));
  auto answer = co_await std::move(accepting);
  co_return answer;
}

std::string render_outcomes(const std::vector<storage::AlertOutcome>& outcomes, std::size_t quarantined) {
  std::int64_t duplicates = 0;
  std::string ids;
  for (const storage::AlertOutcome& outcome : outcomes) {
    duplicates += outcome.action == model::MergeAction::refresh ? 1 : 0;
    if (!ids.empty()) {
      ids += ',';
    }
    append_number(ids, outcome.id);
  }
  std::string body = "{\"accepted\":";
  append_number(body, static_cast<std::int64_t>(outcomes.size()) - duplicates);
  body += ",\"duplicate\":";
  append_number(body, duplicates);
  body += ",\"quarantined\":";
  append_number(body, static_cast<std::int64_t>(quarantined));
  body += ",\"ids\":[" + ids + "]}";
  return body;
}

Reply post_alerts(State& state, http::Request& request) {
  std::function<Result<model::AlertBatch>(const std::string&)> parse = [now = state.deps.clock.now(), limits = state.deps.limits](
                                                                           const std::string& body) {
    return codec::parse_alerts_json(body, now, limits);
  };
  auto parsing = parse_body<model::AlertBatch>(state, request, std::move(parse));
  auto batch = co_await std::move(parsing);
  if (!batch) {
    co_return refuse_body(state, request, state.alerts_rejected, "alerts_refused", batch.error());
  }
  const std::size_t quarantined = batch->quarantined.size();
  if (batch->arrivals.empty() && quarantined == 0 && batch->truncated_alerts == 0) {
    co_return http::Response::json(202, render_outcomes({}, 0));
  }
  auto accepting = state.deps.accept_alerts(request.deadline, kDefaultTenant, std::move(*batch));
  const auto outcomes = co_await std::move(accepting);
  if (!outcomes) {
    co_return http::to_response(outcomes.error());
  }
  co_return http::Response::json(202, render_outcomes(*outcomes, quarantined));
}

}  // namespace

bool is_ours(const Error& error) {
  return error.code == Errc::overloaded || error.code == Errc::timeout || error.code == Errc::cancelled || error.code == Errc::internal;
}

http::Response refuse_body(const State& state, const http::Request& request, const telemetry::Counter& counter,
                           std::string_view what, const Error& error) {
  if (is_ours(error)) {
    return http::to_response(error);
  }
  counter.inc();
  state.deps.log.throttled(telemetry::LogLevel::warning, what,
                           "a body was refused and will not be sent again: correct the sender",
                           {{"route", request.route},
                            {"code", to_string(error.code)},
                            {"field", error.field},
                            {"peer", request.peer},
                            {"request_id", request.id}});
  return http::to_response(error);
}

Error series_limit_error(std::size_t sent, std::size_t stored) {
  return make_error(Errc::invalid_input,
                    std::to_string(sent - stored) + " of " + std::to_string(sent) +
                        " samples would begin new series, of which there may be no more (ingest.active_series_max); the other " +
                        std::to_string(stored) + " are stored");
}

void note_metadata(const State& state, const model::MetadataBatch& batch, std::size_t refused) {
  if (!batch.empty()) {
    state.deps.note_metadata(kDefaultTenant, batch);
  }
  if (refused > 0) {
    state.metadata_refused.inc(static_cast<double>(refused));
  }
}

Operations ingest_operations() {
  return {
      {.method = http::Method::post,
       .pattern = "/api/v1/metrics",
       .handler = post_metrics,
       .id = "postMetrics",
       .tag = "ingest",
       .summary = "Store samples",
       .description = "One sample, an array of them, or an object with `metrics`. All or nothing: a single bad sample refuses the "
                      "body, and the problem names it. The one exception: samples that would begin more series than there may be are "
                      "refused (400), the others stored. 202 means committed. On 503 send the same body again: duplicates vanish. "
                      "Query parameters are ignored.",
       .body_schema = "MetricsBody",
       .body_examples = {"metric", "metric_array", "metric_object"},
       .body_limit = BodyLimit::ingest,
       .problems = {400, 413, 415, 503},
       .responses = {{202, "Committed.", kJson, "MetricsAccepted"}}},
      {.method = http::Method::post,
       .pattern = "/api/v1/import/prometheus",
       .handler = post_exposition_text,
       .id = "postImportPrometheus",
       .tag = "ingest",
       .summary = "Store samples in Prometheus' text format",
       .description = "`curl --data-binary @metrics` of a page of /metrics; any Content-Type, plain or gzip. Samples without a "
                      "timestamp count as taken now; a timestamp is in milliseconds, or in seconds where the page is OpenMetrics: by "
                      "its Content-Type, or because it ends with `# EOF`. TYPE, HELP and UNIT lines are kept as metadata; exemplars "
                      "are passed over. All or nothing: the problem's `field` names the first bad line. 202 means committed. As in "
                      "/api/v1/metrics, series beyond the limit are refused alone. Query parameters are ignored.",
       .body_schema = "ExpositionText",
       .body_limit = BodyLimit::ingest,
       .body_type = "text/plain",
       .any_body_type = true,
       .body_encoding = "gzip",
       .problems = {400, 413, 415, 503},
       .responses = {{202, "Committed.", kJson, "MetricsAccepted"}}},
      {.method = http::Method::post,
       .pattern = "/api/v1/alerts",
       .handler = post_alerts,
       .id = "postAlerts",
       .tag = "ingest",
       .summary = "Store alerts",
       .description = "An array of alerts, or Alertmanager's webhook object version 4. Idempotent: retries, HA pairs and repeats count as "
                      "`duplicate`. One bad alert does not sink the others: it is kept aside and counted in `quarantined`. `ids` "
                      "holds the episode of every alert that was not quarantined, in the order of the body. 202 means committed. "
                      "Query parameters are ignored.",
       .body_schema = "AlertsBody",
       .body_examples = {"alert_array", "alertmanager_webhook"},
       .body_limit = BodyLimit::ingest,
       .problems = {400, 413, 415, 503},
       .responses = {{202, "Committed.", kJson, "AlertsAccepted"}}},
  };
}

}  // namespace sensus::api
