#pragma once

#include "sensus/analysis/group_options.hpp"
#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"
#include "sensus/ml/gates.hpp"
#include "sensus/model/selector.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::analysis {

/// What an operator knows of some series and the detector cannot. The first rule whose selector matches a series is its rule.
struct RuleOptions {
  std::string selector;
  std::chrono::milliseconds step{0};  ///< 0 = as all: ingest.analysis_step.
  std::string direction = "both";
  double deviation_min = 0;
  double deviation_relative_min = 0;
  double value_min = std::numeric_limits<double>::lowest();
  double value_max = std::numeric_limits<double>::max();
  std::int64_t warmup = 0;
  bool mute = false;
  double limit = 0;  ///< With `limit_within` only.
  std::string limit_direction = "above";
  std::chrono::milliseconds limit_within{0};  ///< 0 = no check.
};

struct Options {
  std::deque<RuleOptions> rules;
  std::deque<GroupOptions> groups;  ///< See GroupWatch.
  std::vector<std::string> holidays;  ///< YYYY-MM-DD.
  std::string time_zone = "UTC";
};
void describe(config::Section& section, Options& options);

/// The rules of a configuration, ready for use. Pure. **Threading**: any; immutable.
class Rules {
 public:
  Rules() = default;
  /// `invalid_input` for a selector, a day or a zone that is none; configurations that were read by `describe` have none.
  [[nodiscard]] static Result<Rules> make(const Options& options);

  /// In order, for SampleStore::match_series.
  [[nodiscard]] const std::vector<model::Selector>& selectors() const { return selectors_; }
  /// Of a series whose rule is the one of this number; without a rule, those that hold for all. Days begin as they do at `now` in the zone.
  [[nodiscard]] ml::Gates gates(std::optional<std::size_t> rule, Timestamp now) const;
  /// Rules with a step of their own; empty when there is none.
  struct Step {
    model::Selector selector;
    std::chrono::seconds step{0};  ///< 0 = as all.
  };
  [[nodiscard]] std::vector<Step> steps() const;
  /// Rules whose series are watched for a limit that they are about to reach.
  struct Limit {
    std::size_t rule = 0;
    double value = 0;
    bool is_below = false;  ///< Reached by falling.
    std::chrono::seconds within{0};
  };
  [[nodiscard]] std::vector<Limit> limits() const;

 private:
  std::vector<model::Selector> selectors_;
  std::deque<RuleOptions> rules_;
  std::vector<std::int64_t> holidays_;
  std::string time_zone_ = "UTC";
};

}  // namespace sensus::analysis
