#pragma once

#include <cstdint>
#include <string>

namespace sensus::config {
class Section;
}

namespace sensus::analysis {

/// Series that belong together: those of the selector that share a value of the label `by` are one
/// group.
struct GroupOptions {
  std::string name;
  std::string selector;
  std::string by = "service";
  std::int64_t columns_max = 16;
};
/// A row of `analysis.groups`.
void describe(config::Section& section, GroupOptions& group);

/// What groups say of themselves, as series with the labels `by` and `group`. They are members of
/// no group.
inline constexpr const char* kAnomalousShareMetric = "sensus_anomalous_share";
inline constexpr const char* kGroupScoreMetric = "sensus_group_score";

}  // namespace sensus::analysis
