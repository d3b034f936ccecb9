#pragma once

#include "sensus/model/labels.hpp"

#include <string>
#include <string_view>

namespace sensus::model {

/// `name{label="value",...}`, labels sorted: what people read, and what parse_selector takes. A
/// name that a selector cannot have outside of the braces stands inside, in quotes.
[[nodiscard]] std::string render_series_text(std::string_view metric_name, const Labels& labels);

}  // namespace sensus::model
