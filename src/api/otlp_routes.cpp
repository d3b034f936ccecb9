#include "operation_internal.hpp"

#include "sensus/codec/otlp.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sensus::api {
namespace {

using codec::OtlpFormat;

/// A body may unfold into this many times its limit in samples: a histogram is a series a bucket,
/// each with all labels.
constexpr std::size_t kUnfoldMax = 4;

bool same_type(std::string_view content_type, std::string_view media_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  return type.size() >= media_type.size() &&
         std::equal(media_type.begin(), media_type.end(), type.begin(),
                    [](char a, char b) {
                      return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
                    }) &&
         type.find_first_not_of(" \t", media_type.size()) == std::string_view::npos;
}

OtlpFormat format_of(const http::Request& request) {
  const std::string_view type = request.headers.get("Content-Type");
  if (type.empty()) {
    // No protobuf message of OTLP begins with a brace, and no JSON without.
    const auto first = request.body.find_first_not_of(" \t\r\n");
    return first != std::string::npos && request.body[first] == '{' ? OtlpFormat::json
                                                                    : OtlpFormat::protobuf;
  }
  return same_type(type, kProtobuf) ? OtlpFormat::protobuf : OtlpFormat::json;
}

http::Response reply_otlp(OtlpFormat format, int status, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = format == OtlpFormat::json ? kJson : kProtobuf;
  response.headers.set("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

/// google.rpc.Code of what HTTP says.
int rpc_code(int status) {
  switch (status) {
    case 404:
    case 405: return 12;  // UNIMPLEMENTED
    case 408: return 4;   // DEADLINE_EXCEEDED
    case 503: return 14;  // UNAVAILABLE
    default: return 3;    // INVALID_ARGUMENT
  }
}

void note_rejected(const State& state, const http::Request& request,
                   const codec::OtlpMetrics& parsed) {
  if (parsed.rejected_points == 0) {
    return;
  }
  state.otlp.points_rejected.inc(static_cast<double>(parsed.rejected_points));
  state.deps.log.throttled(
      telemetry::LogLevel::warning, "otlp_points_rejected",
      "data points of OTLP were rejected and will not be sent again: correct the sender",
      {{"points", parsed.rejected_points},
       {"reason", parsed.rejection},
       {"peer", request.peer},
       {"request_id", request.id}});
}

void add_deltas(OtlpState& state, codec::OtlpMetrics& parsed) {
  const codec::DeltaSums::Added added = state.deltas.add(parsed.deltas, parsed.samples);
  state.deltas_late.inc(static_cast<double>(added.late));
  state.deltas_forgotten.inc(static_cast<double>(added.forgotten));
  state.delta_series.set(static_cast<double>(state.deltas.size()));
}

/// Totals go on where the stored ones end: after a restart, and after they made room. `increments` outlives it.
runtime::Async<> continue_totals(State& state, Deadline deadline, const model::SampleBatch& increments) {
  std::vector<model::LabelsHash> unknown = state.otlp.deltas.unknown(increments);
  if (unknown.empty()) {
    co_return Result<>{};
  }
  auto reading = state.deps.last_samples.last_of(deadline, kDefaultTenant, std::move(unknown));
  auto found = co_await std::move(reading);
  if (!found) {
    co_return std::move(found).error();
  }
  for (const storage::LastSample& last : *found) {
    state.otlp.deltas.seed(last.series, last.sample.time, last.sample.value);
  }
  state.otlp.deltas_continued.inc(static_cast<double>(found->size()));
  co_return Result<>{};
}

Reply post_otlp_metrics(State& state, http::Request& request) {
  const OtlpFormat format = format_of(request);
  const std::size_t bytes_max = state.options.body_limit.bytes * kUnfoldMax;
  if (request.headers.get("Content-Type").empty()) {
    // The answer is of the same type, also when the body is gone by then.
    request.headers.set("Content-Type",
                        std::string(format == OtlpFormat::json ? kJson : kProtobuf));
  }
  std::function<Result<codec::OtlpMetrics>(const std::string&)> parse =
      [format, bytes_max, now = state.deps.clock.now(),
       limits = state.deps.limits](const std::string& body) {
        return codec::parse_otlp_metrics(body, format, now, limits, bytes_max);
      };
  auto parsing = parse_body<codec::OtlpMetrics>(state, request, std::move(parse));
  auto parsed = co_await std::move(parsing);
  if (!parsed) {
    co_return otlp_refusal(request, refuse_body(state, request, state.otlp.bodies_rejected,
                                                "otlp_refused", parsed.error()));
  }
  auto continuing = continue_totals(state, request.deadline, parsed->deltas);
  const Result<> continued = co_await std::move(continuing);
  if (!continued) {
    co_return otlp_refusal(request, http::to_response(continued.error()));
  }
  note_rejected(state, request, *parsed);
  note_metadata(state, parsed->metadata, 0);
  state.otlp.stale_points.inc(static_cast<double>(parsed->stale_markers));
  add_deltas(state.otlp, *parsed);
  if (!parsed->samples.empty()) {
    const std::size_t sent = parsed->samples.size();
    auto accepting =
        state.deps.accept_samples(request.deadline, kDefaultTenant, std::move(parsed->samples));
    const auto accepted = co_await std::move(accepting);
    if (!accepted) {
      co_return otlp_refusal(request, http::to_response(accepted.error()));
    }
    if (*accepted < sent) {
      state.otlp.points_rejected.inc(static_cast<double>(sent - *accepted));
      parsed->rejected_points += sent - *accepted;
      parsed->rejection = parsed->rejection.empty() ? series_limit_error(sent, *accepted).message : parsed->rejection;
    }
  }
  co_return reply_otlp(
      format, 200, codec::render_otlp_reply(format, parsed->rejected_points, parsed->rejection));
}

}  // namespace

OtlpState make_otlp_state(telemetry::Metrics& metrics) {
  OtlpState state;
  state.bodies_rejected = metrics.counter(
      "sensus_api_bodies_rejected_total",
      "Ingest bodies refused as a whole (400); senders do not repeat them", {{"kind", "otlp"}});
  state.points_rejected =
      metrics.counter("sensus_api_otlp_points_rejected_total",
                      "OTLP data points rejected by partial success; senders do not repeat them");
  state.stale_points =
      metrics.counter("sensus_api_otlp_stale_points_total",
                      "OTLP data points that say that there is no value any more; they end their series and are no samples");
  state.deltas_late =
      metrics.counter("sensus_api_otlp_deltas_late_total",
                      "OTLP increments older than the last of their series, not counted again");
  state.deltas_forgotten =
      metrics.counter("sensus_api_otlp_delta_series_forgotten_total",
                      "Series of OTLP increments whose running total was dropped to make room");
  state.deltas_continued =
      metrics.counter("sensus_api_otlp_delta_series_continued_total",
                      "Series of OTLP increments whose running total went on from the stored one");
  state.delta_series = metrics.gauge("sensus_api_otlp_delta_series",
                                     "Series of OTLP increments with a running total");
  return state;
}

http::Response otlp_refusal(const http::Request& request, http::Response problem) {
  const OtlpFormat format = format_of(request);
  const int status = problem.status >= 500 ? 503 : problem.status;
  const auto said = nlohmann::json::parse(problem.body, nullptr, /*allow_exceptions=*/false);
  std::string message = said.is_object() ? said.value("detail", "") : "";
  if (const std::string field = said.is_object() ? said.value("field", "") : ""; !field.empty()) {
    message.insert(0, field + ": ");
  }
  http::Response out =
      reply_otlp(format, status, codec::render_otlp_status(format, rpc_code(status), message));
  for (const auto& [name, value] : problem.headers) {
    out.headers.set(name, value);
  }
  if (status == 503 && !out.headers.contains("Retry-After")) {
    out.headers.set("Retry-After", "1");
  }
  return out;
}

Operations otlp_operations() {
  const auto both = [](std::vector<ResponseDoc>& docs, int status, std::string_view description,
                       std::string_view schema) {
    docs.push_back({status, description, kJson, schema});
    docs.push_back({status, description, kProtobuf, "OtlpMessage"});
  };
  std::vector<ResponseDoc> responses;
  both(responses, 200,
       "Committed, but for what partialSuccess counts: that must not be sent again.",
       "OtlpMetricsReply");
  both(responses, 400, "The body cannot be decoded.", "OtlpStatus");
  both(responses, 413, "The body is over the limit of this route, packed or unpacked.",
       "OtlpStatus");
  both(responses, 415, "The content type or the encoding of the body is not spoken here.",
       "OtlpStatus");
  both(responses, 503,
       "Overloaded, or PostgreSQL is away or slow. Send the same request again after Retry-After.",
       "OtlpStatus");
  return {
      {.method = http::Method::post,
       .pattern = "/v1/metrics",
       .handler = post_otlp_metrics,
       .id = "postOtlpMetrics",
       .tag = "ingest",
       .summary = "Store OpenTelemetry metrics",
       .description = "OTLP/HTTP: an ExportMetricsServiceRequest as protobuf or JSON, plain or "
                      "gzip; the reply has the same encoding. Series "
                      "have the names that OpenTelemetry gives them in Prometheus. 200 means "
                      "committed. Increments (delta temporality) "
                      "are added up, also across restarts. Exponential histograms are rejected. On 503 send the same "
                      "body again. Query parameters are ignored.",
       .body_schema = "OtlpMetricsBody",
       .body_examples = {"otlp_metrics"},
       .body_limit = BodyLimit::ingest,
       .body_encoding = "gzip",
       .protobuf_schema = "OtlpMessage",
       .refusal = otlp_refusal,
       .responses = std::move(responses)},
  };
}

}  // namespace sensus::api
