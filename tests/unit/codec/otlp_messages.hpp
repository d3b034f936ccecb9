#pragma once

#include "sensus/codec/otlp.hpp"

#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// Makes protobuf messages of OTLP by hand: fields in, bytes out.
namespace sensus::codec::test {

inline Timestamp now() { return parse_rfc3339("2026-11-20T10:00:00Z").value(); }
inline constexpr std::uint64_t kNowNs = 1'795'168'800'000'000'000;

inline std::string varint(std::uint64_t number) {
  std::string out;
  for (; number >= 0x80; number >>= 7U) {
    out.push_back(static_cast<char>(number | 0x80U));
  }
  out.push_back(static_cast<char>(number));
  return out;
}
inline std::string word(std::uint64_t number) {
  std::string out;
  for (unsigned i = 0; i < 8; ++i) {
    out.push_back(static_cast<char>(number >> (8 * i)));
  }
  return out;
}
inline std::string word(double number) { return word(std::bit_cast<std::uint64_t>(number)); }

inline std::string bytes_field(std::uint32_t field, std::string_view bytes) {
  return varint(field << 3U | 2U) + varint(bytes.size()) + std::string(bytes);
}
inline std::string varint_field(std::uint32_t field, std::uint64_t number) {
  return varint(field << 3U) + varint(number);
}
template <class Number>
std::string fixed_field(std::uint32_t field, Number number) {
  return varint(field << 3U | 1U) + word(number);
}

inline std::string text_value(std::string_view text) { return bytes_field(1, text); }
inline std::string pair(std::string_view key, std::string_view any_value) {
  return bytes_field(1, key) + bytes_field(2, any_value);
}

/// Points of gauges and sums.
struct Number {
  std::string attributes = {};  ///< Made by `attribute`.
  std::uint64_t time = kNowNs;
  std::string value = fixed_field(4, 1.5);
  std::uint64_t flags = 0;

  [[nodiscard]] std::string bytes() const {
    return attributes + fixed_field(3, time) + value + (flags != 0 ? varint_field(8, flags) : "");
  }
};
/// An attribute of a number or a summary (7) or of a histogram (9).
inline std::string attribute(std::string_view key, std::string_view any_value,
                             std::uint32_t field = 7) {
  return bytes_field(field, pair(key, any_value));
}

inline std::string metric(std::string_view name, std::string_view unit, std::uint32_t data_field,
                          std::string_view data) {
  return bytes_field(1, name) + bytes_field(3, unit) + bytes_field(data_field, data);
}
inline std::string gauge(std::string_view name, std::string_view point,
                         std::string_view unit = "") {
  return metric(name, unit, 5, bytes_field(1, point));
}
inline std::string sum(std::string_view name, std::string_view point, std::uint64_t temporality,
                       bool monotonic, std::string_view unit = "") {
  return metric(
      name, unit, 7,
      bytes_field(1, point) + varint_field(2, temporality) + varint_field(3, monotonic ? 1 : 0));
}
/// A whole request of one resource.
inline std::string request(std::string_view metrics_field,
                           std::string_view resource_attributes = "") {
  return bytes_field(1, bytes_field(1, resource_attributes) + bytes_field(2, metrics_field));
}
inline std::string one_metric(std::string_view metric) { return request(bytes_field(2, metric)); }

inline Result<OtlpMetrics> parse(std::string_view body, OtlpFormat format,
                                 std::size_t bytes_max = 1 << 20) {
  return parse_otlp_metrics(body, format, now(), {}, bytes_max);
}

/// `name{label="value",...}` -> values in their order.
using Shown = std::map<std::string, std::vector<double>>;
inline Shown show(const model::SampleBatch& batch) {
  Shown out;
  for (const auto& row : batch.rows()) {
    const auto series = model::decode_series_key(batch.key(row)).value();
    std::string text = series.metric_name + "{";
    for (const model::Label& label : series.labels) {
      text += (text.back() == '{' ? "" : ",") + label.name + "=\"" + label.value + "\"";
    }
    out[text + "}"].push_back(row.value);
  }
  return out;
}

}  // namespace sensus::codec::test
