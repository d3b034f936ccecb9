#include "operation_internal.hpp"

#include "sensus/codec/remote_write.hpp"
#include "sensus/codec/snappy_block.hpp"

namespace sensus::api {
namespace {

constexpr std::string_view kSamplesWritten = "X-Prometheus-Remote-Write-Samples-Written";
constexpr std::string_view kHistogramsWritten = "X-Prometheus-Remote-Write-Histograms-Written";
constexpr std::string_view kExemplarsWritten = "X-Prometheus-Remote-Write-Exemplars-Written";

/// A 2.0 sender takes an answer without these for a receiver that speaks 1.0 only, so every answer
/// has them.
http::Response with_counts(http::Response response, std::size_t samples) {
  response.headers.set(kSamplesWritten, std::to_string(samples));
  response.headers.set(kHistogramsWritten, "0");
  response.headers.set(kExemplarsWritten, "0");
  return response;
}

/// Of what the server refuses before the handler sees it.
http::Response nothing_written(const http::Request& /*request*/, http::Response refusal) {
  return with_counts(std::move(refusal), 0);
}

http::Response refuse(const State& state, const http::Request& request, const Error& error,
                      std::size_t written) {
  return with_counts(refuse_body(state, request, state.remote_write.bodies_rejected,
                                 "remote_write_refused", error),
                     written);
}

/// Packed bodies unfold to several times their size.
constexpr std::size_t kPackedAside = kParseAside / 4;

runtime::Async<codec::RemoteWrite> parse_write(State& state, http::Request& request) {
  const std::string encoding = request.headers.get_joined("Content-Encoding");
  if (encoding == "identity") {
    co_return make_error(Errc::unsupported,
                      "send the body as a snappy block: Content-Encoding: snappy");
  }
  const auto version = codec::remote_write_version(request.headers.get("Content-Type"));
  if (!version) {
    co_return make_error(
        Errc::unsupported,
        "send application/x-protobuf, with proto=prometheus.WriteRequest (or without proto) or "
        "proto=io.prometheus.write.v2.Request");
  }
  const std::size_t bytes_max = state.options.body_limit.bytes;
  std::function<Result<codec::RemoteWrite>(const std::string&)> parse =
      [version = *version, bytes_max, now = state.deps.clock.now(),
       limits = state.deps.limits](const std::string& body) -> Result<codec::RemoteWrite> {
    SENSUS_TRY(const std::string message, codec::unpack_snappy(body, bytes_max));
    return codec::parse_remote_write(message, version, now, limits, bytes_max);
  };
  auto parsing = parse_body<codec::RemoteWrite>(state, request, std::move(parse), kPackedAside);
  auto parsed = co_await std::move(parsing);
  co_return parsed;
}

void count(const RemoteWriteCounters& counters, const codec::RemoteWrite& write) {
  const auto add = [](const telemetry::Counter& counter, std::size_t number) {
    if (number > 0) {
      counter.inc(static_cast<double>(number));
    }
  };
  add(counters.samples_refused, write.refused_samples);
  add(counters.stale_markers, write.stale_markers);
  add(counters.histograms_skipped, write.histograms);
  add(counters.exemplars_skipped, write.exemplars);
}

/// "3 of 500 samples were refused and 497 stored; the first: ..."
Error summary_of(const codec::RemoteWrite& write, std::size_t written) {
  Error error = *write.first_refusal;
  error.message = std::to_string(write.refused_samples) + " samples were refused, " +
                  std::to_string(written) + " written; the first: " + error.message;
  return error;
}

Reply post_write(State& state, http::Request& request) {
  auto parsing = parse_write(state, request);
  auto parsed = co_await std::move(parsing);
  if (!parsed) {
    co_return refuse(state, request, parsed.error(), 0);
  }
  note_metadata(state, parsed->metadata, parsed->refused_metadata);
  // A stale marker is taken in by ending its series, so it counts as written: a sender that gets
  // back less than it sent reports data loss.
  std::size_t written = parsed->stale_markers;
  if (!parsed->samples.empty()) {
    const std::size_t sent = parsed->samples.size();
    auto accepting =
        state.deps.accept_samples(request.deadline, kDefaultTenant, std::move(parsed->samples));
    const auto accepted = co_await std::move(accepting);
    if (!accepted) {
      co_return with_counts(http::to_response(accepted.error()), 0);
    }
    written += *accepted;
    if (*accepted < sent) {
      parsed->refused_samples += sent - *accepted;
      parsed->first_refusal = parsed->first_refusal.value_or(series_limit_error(sent, *accepted));
    }
  }
  count(state.remote_write, *parsed);
  if (parsed->first_refusal) {
    const Error error = summary_of(*parsed, written);
    co_return refuse(state, request, error, written);
  }
  co_return with_counts(http::Response::empty(204), written);
}

}  // namespace

RemoteWriteCounters make_remote_write_counters(telemetry::Metrics& metrics) {
  return {
      .bodies_rejected =
          metrics.counter("sensus_api_bodies_rejected_total",
                          "Ingest bodies refused as a whole (400); senders do not repeat them",
                          {{"kind", "remote_write"}}),
      .samples_refused = metrics.counter(
          "sensus_api_remote_write_refused_samples_total",
          "Samples of remote-write requests that were not taken; senders do not repeat them"),
      .stale_markers =
          metrics.counter("sensus_api_remote_write_stale_markers_total",
                          "Markers of remote-write that a series ended; they end it and are no samples"),
      .histograms_skipped =
          metrics.counter("sensus_api_remote_write_skipped_histograms_total",
                          "Native histograms of remote-write requests, which are not kept"),
      .exemplars_skipped =
          metrics.counter("sensus_api_remote_write_skipped_exemplars_total",
                          "Exemplars of remote-write requests, which are not kept"),
  };
}

Operations remote_write_operations() {
  return {
      {.method = http::Method::post,
       .pattern = "/api/v1/write",
       .handler = post_write,
       .id = "postRemoteWrite",
       .tag = "ingest",
       .summary = "Prometheus remote-write 1.0 and 2.0",
       .description = "What `remote_write` of a Prometheus, a vmagent or an OpenTelemetry "
                      "collector sends. 204 means committed; every "
                      "answer tells by X-Prometheus-Remote-Write-Samples-Written and its sisters "
                      "how much. When some samples are bad, "
                      "the others are stored and the answer is 400. Stale markers end a series "
                      "(`ended_at` of /api/v1/series) and are not stored; native histograms "
                      "and exemplars are skipped and counted; metadata is kept. Query parameters are ignored.",
       .body_schema = "RemoteWriteBody",
       .body_limit = BodyLimit::ingest,
       .body_type = "application/x-protobuf",
       .body_encoding = "snappy",
       .refusal = nothing_written,
       .problems = {400, 413, 415, 503},
       .responses = {{204, "Committed."}}},
  };
}

}  // namespace sensus::api
