#pragma once

#include "sensus/codec/delta_sums.hpp"
#include "sensus/http/message.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <cstddef>

namespace sensus::api {

/// What OTLP keeps between requests. **Threading**: reactor.
struct OtlpState {
  /// About 15 MB at the limit. Beyond it the totals of series least recently seen are read again when needed.
  static constexpr std::size_t kDeltaSeriesMax = 200'000;

  codec::DeltaSums deltas{kDeltaSeriesMax};
  telemetry::Counter bodies_rejected;
  telemetry::Counter points_rejected;
  telemetry::Counter stale_points;
  telemetry::Counter deltas_late;
  telemetry::Counter deltas_forgotten;
  telemetry::Counter deltas_continued;
  telemetry::Gauge delta_series;
};

[[nodiscard]] OtlpState make_otlp_state(telemetry::Metrics& metrics);

/// A refusal as google.rpc.Status in the request's encoding. OTLP senders repeat 503 and never 500,
/// so that is what a 500 becomes.
[[nodiscard]] http::Response otlp_refusal(const http::Request& request, http::Response problem);

}  // namespace sensus::api
