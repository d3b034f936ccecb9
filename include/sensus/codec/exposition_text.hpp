#pragma once

#include "sensus/core/result.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/model/metadata.hpp"
#include "sensus/model/sample.hpp"

#include <cstddef>
#include <string_view>

namespace sensus::codec {

enum class ExpositionFormat {
  text,          ///< Prometheus' 0.0.4; timestamps in milliseconds.
  open_metrics,  ///< OpenMetrics 1.0; timestamps in seconds, ends with `# EOF`.
};
/// By Content-Type; where that does not tell (`curl --data-binary` calls everything a form), a page that ends with `# EOF` is
/// OpenMetrics, since it must.
[[nodiscard]] ExpositionFormat exposition_format(std::string_view content_type, std::string_view body);

struct Exposition {
  model::SampleBatch samples;
  model::MetadataBatch metadata;     ///< Of TYPE, HELP and UNIT lines; names and texts not yet validated.
  std::size_t refused_metadata = 0;  ///< Malformed lines of these. They refuse nothing else.
  std::size_t exemplars = 0;         ///< Skipped.
};

/// A page of /metrics: `name{label="value"} value [time]` a line; without a time it is `now`. A label with an empty value counts as
/// absent; NaN and infinities are samples. The last line may lack its line feed, but a page of OpenMetrics that lacks its end was
/// cut off. All or nothing: **Errors** invalid_input with `field` such as "line 3". Pure.
[[nodiscard]] Result<Exposition> parse_exposition(std::string_view body, ExpositionFormat format, Timestamp now,
                                                  const model::InputLimits& limits);

}  // namespace sensus::codec
