#pragma once

#include "sensus/core/time.hpp"
#include "sensus/model/labels.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace sensus::model {

/// What a label set, a name and a timestamp may be. Defaults follow Prometheus' and Grafana's practice.
struct InputLimits {
  std::size_t label_count_max = 64;
  std::size_t label_name_bytes_max = 256;
  std::size_t label_value_bytes_max = 4096;
  std::size_t annotation_value_bytes_max = 65536;
  std::size_t metric_name_bytes_max = 255;
  std::chrono::milliseconds past_window = std::chrono::hours{24 * 30};
  std::chrono::milliseconds future_window = std::chrono::minutes{10};
};

/// `field` is the path used in errors, e.g. "alerts[3].labels". Text is valid UTF-8 without NUL; names are not empty.
[[nodiscard]] Result<> check_labels(const Labels& labels, const InputLimits& limits, const std::string& field);
/// One pair of a label set; `field` is the set's path, the label's name is appended to it.
[[nodiscard]] Result<> check_label(std::string_view name, std::string_view value, std::size_t value_bytes_max,
                                   const InputLimits& limits, const std::string& field);
/// As check_labels, but with the value limit of annotations.
[[nodiscard]] Result<> check_annotations(const Labels& annotations, const InputLimits& limits, const std::string& field);
[[nodiscard]] Result<> check_metric_name(std::string_view name, const InputLimits& limits, const std::string& field);
/// Within [now - past_window, now + future_window].
[[nodiscard]] Result<> check_timestamp(Timestamp t, Timestamp now, const InputLimits& limits, const std::string& field);

}  // namespace sensus::model
