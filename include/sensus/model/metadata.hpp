#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::model {

/// What kind a metric family is. The numbers are those of remote-write 1.0 and 2.0.
enum class MetricType : std::uint8_t {
  unknown = 0,
  counter = 1,
  gauge = 2,
  histogram = 3,
  gauge_histogram = 4,
  summary = 5,
  info = 6,
  state_set = 7,
};
/// As Prometheus spells it: "counter", "gaugehistogram", "unknown".
[[nodiscard]] std::string_view to_string(MetricType type);
/// The same, and the text format's "untyped" for unknown.
[[nodiscard]] std::optional<MetricType> parse_metric_type(std::string_view text);

/// What a sender said about the series of one metric family: those of a histogram `x` are
/// `x_bucket`, `x_sum` and `x_count`.
struct MetricMetadata {
  std::string family;
  MetricType type = MetricType::unknown;
  std::string unit;
  std::string help;
  friend bool operator==(const MetricMetadata&, const MetricMetadata&) = default;
};

/// Metadata of one request, in the order it came, as it came: not validated. The texts live in one
/// arena. Value type; any thread.
class MetadataBatch {
 public:
  struct View {
    std::string_view family = {};
    MetricType type = MetricType::unknown;
    std::string_view unit = {};
    std::string_view help = {};
  };

  void append(const View& entry);
  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Valid until the next `append`.
  [[nodiscard]] View operator[](std::size_t index) const;

 private:
  struct Row {
    std::size_t begin;
    std::size_t family_size;
    std::size_t unit_size;
    std::size_t help_size;
    MetricType type;
  };
  std::string texts_;
  std::vector<Row> rows_;
};

/// Families that a series of this name may belong to, the likeliest first: its own name, then what
/// is left without a suffix. An empty text stands for none.
inline constexpr std::size_t kFamilyCandidates = 2;
[[nodiscard]] std::array<std::string_view, kFamilyCandidates> family_candidates(
    std::string_view metric_name);
/// Whether a family of this type has series of this name: `x_bucket` belongs to a histogram `x`,
/// not to a gauge `x`.
[[nodiscard]] bool belongs_to(std::string_view metric_name, std::string_view family,
                              MetricType type);
/// The family of a series whose sender gave the type with the series itself: `x` of `x_bucket` when
/// that is a histogram's.
[[nodiscard]] std::string_view family_of(std::string_view metric_name, MetricType type);

/// Whether the series of this name only ever count up, by the name alone: it ends in `_total`, `_count`, `_sum` or `_bucket` (Prometheus,
/// OpenMetrics). What metadata says of a metric goes before this.
[[nodiscard]] bool is_counter_name(std::string_view metric_name);

/// What the samples of a series are. A detector looks at the values of a gauge and at the increase
/// of what is cumulative.
enum class ValueKind { unknown, gauge, cumulative };
/// Of the series `metric_name` of a family of this type.
[[nodiscard]] ValueKind value_kind(std::string_view metric_name, MetricType type);

}  // namespace sensus::model
