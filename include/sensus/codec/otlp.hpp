#pragma once

#include "sensus/core/result.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/model/metadata.hpp"
#include "sensus/model/sample.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace sensus::codec {

/// The two encodings of OTLP/HTTP; a reply uses that of its request.
enum class OtlpFormat { protobuf, json };

/// What an ExportMetricsServiceRequest says, under Prometheus' names.
struct OtlpMetrics {
  model::SampleBatch samples;  ///< Gauges and what is cumulative already.
  model::SampleBatch deltas;   ///< Increments: DeltaSums turns them into samples.
  model::MetadataBatch metadata;  ///< Of every metric that can be kept; texts not yet validated.
  std::size_t stale_markers = 0;  ///< Points that say that there is no value any more: their series are ends of `samples`.
  std::uint64_t rejected_points =
      0;  ///< Data points that are valid OTLP, but not kept; their sender must not repeat them.
  std::string rejection;  ///< The reason of the first of them, for the sender.
};

/// POST /v1/metrics. Gauges and sums become one sample, histograms `_bucket` (label `le`), `_sum`
/// and `_count`, summaries a sample a `quantile`, `_sum` and `_count`. Names follow the
/// OpenTelemetry rules for Prometheus: unit suffix, `_total` of monotonic sums,
/// `_ratio` of gauges of unit 1. `service.name` (after `service.namespace/`) is `job`,
/// `service.instance.id` is `instance`; what else is known of a resource that has one of them is on
/// the series `target_info`. Scopes are the labels `otel_scope_name`, `otel_scope_version`,
/// `otel_scope_schema_url` and `otel_scope_` with each attribute. NaN and infinities are samples;
/// points without a recorded value, and stale markers, are ends. One point is kept or rejected as a
/// whole, apart from all others: limits of names and labels, the time window, exponential
/// histograms, no temporality, increments that are not finite.
/// **Errors** invalid_input for a body that cannot be decoded (with the byte offset for JSON),
/// too_large when the samples would take more than `batch_bytes_max`. Pure.
[[nodiscard]] Result<OtlpMetrics> parse_otlp_metrics(std::string_view body, OtlpFormat format,
                                                     Timestamp now,
                                                     const model::InputLimits& limits,
                                                     std::size_t batch_bytes_max);

/// ExportMetricsServiceResponse: empty when nothing was rejected, else with its partial_success.
[[nodiscard]] std::string render_otlp_reply(OtlpFormat format, std::uint64_t rejected_points,
                                            std::string_view message);

/// google.rpc.Status; `code` is a google.rpc.Code.
[[nodiscard]] std::string render_otlp_status(OtlpFormat format, int code, std::string_view message);

}  // namespace sensus::codec
