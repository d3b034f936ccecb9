#pragma once

#include "sensus/core/result.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/model/sample.hpp"

#include <string_view>

namespace sensus::codec {

/// POST /api/v1/metrics: one object {"metric_name","metric_value","labels"?,"timestamp"?}, an array of them, or {"metrics":[...]}.
/// `timestamp` is RFC 3339 text or a Unix number: seconds (may have a fraction) below 1e11, else milliseconds; default `now`.
/// All or nothing: **Errors** invalid_input with `field` such as "metrics[3].metric_value" ("[3].." for a bare array), for malformed
/// JSON (with byte offset), depth > 32, invalid UTF-8 or NUL, duplicate keys, missing or empty name, non-finite value, time outside the
/// window, label limits. Unknown members are ignored. Pure.
[[nodiscard]] Result<model::SampleBatch> parse_metrics_json(std::string_view body, Timestamp now,
                                                            const model::InputLimits& limits);

}  // namespace sensus::codec
