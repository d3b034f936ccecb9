#pragma once

#include "sensus/core/result.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/model/sample.hpp"

#include <string_view>

namespace sensus::codec {

/// Prometheus' text exposition format 0.0.4: `name{label="value"} value [milliseconds]` a line;
/// without a time it is `now`. Comments are skipped, except that a TYPE line must be one. A label
/// with an empty value counts as absent; NaN and infinities are samples. The last line may lack its
/// line feed. All or nothing: **Errors** invalid_input with `field` such as "line 3". Pure.
[[nodiscard]] Result<model::SampleBatch> parse_exposition_text(std::string_view body, Timestamp now,
                                                               const model::InputLimits& limits);

}  // namespace sensus::codec
