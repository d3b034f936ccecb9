#pragma once

#include "sensus/model/labels.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sensus::codec::otlp {

/// What the name of a metric depends on beside the name itself.
enum class NameKind { gauge, monotonic_sum, other };

/// The Prometheus name: words joined by "_", with the unit (`s` -> `seconds`, `By/s` ->
/// `bytes_per_second`, annotations in braces are no units), `_total` of monotonic sums and `_ratio`
/// of gauges of unit 1, none of them twice. Empty when nothing is left.
[[nodiscard]] std::string metric_name_of(std::string_view name, std::string_view unit,
                                         NameKind kind);

/// The unit as it stands in names: `By/s` -> `bytes_per_second`; empty for what is none.
[[nodiscard]] std::string unit_name_of(std::string_view unit);

/// The Prometheus label name: `http.status` -> `http_status`, `1st` -> `key_1st`, `_own` ->
/// `key_own`.
[[nodiscard]] std::string label_name_of(std::string_view key);

struct Attribute {
  std::string key;
  std::string value;
};

/// Attributes as labels. Keys that become the same name have their values joined by ";", in the
/// order of the keys; a key that is given twice counts once, as last given. An empty value is the
/// same as no label, so it is left out.
[[nodiscard]] model::Labels labels_of(std::vector<Attribute>& attributes);

}  // namespace sensus::codec::otlp
