#include "sensus/analysis/rules.hpp"

#include "sensus/config/section.hpp"
#include "sensus/storage/samples.hpp"

#include <date/tz.h>

#include <algorithm>
#include <cstdio>
#include <exception>

namespace sensus::analysis {
namespace {

Result<model::Selector> read_selector(std::string_view text) {
  SENSUS_TRY(model::Selector selector, model::parse_selector(text));
  SENSUS_TRY_VOID(storage::check_selector(selector));
  return selector;
}

Result<> check_selector(std::string_view text) {
  SENSUS_TRY_VOID(read_selector(text));
  return {};
}

/// Days since 1970-01-01.
Result<std::int64_t> parse_day(std::string_view text) {
  const auto midnight = parse_rfc3339(std::string(text) + "T00:00:00Z");
  if (text.size() != 10 || !midnight) {
    return make_error(Errc::invalid_input, "'" + std::string(text) + "' is no day such as 2026-12-25");
  }
  return std::chrono::floor<std::chrono::days>(*midnight).time_since_epoch().count();
}

Result<> check_day(std::string_view text) {
  SENSUS_TRY_VOID(parse_day(text));
  return {};
}

Result<const date::time_zone*> find_zone(std::string_view name) {
  try {
    return date::locate_zone(std::string(name));
  } catch (const std::exception&) {
    return make_error(Errc::invalid_input,
                      "there is no time zone '" + std::string(name) + "'; names are those of /usr/share/zoneinfo, such as Europe/Berlin or UTC");
  }
}

Result<> check_zone(std::string_view name) {
  SENSUS_TRY_VOID(find_zone(name));
  return {};
}

void describe(config::Section& section, RuleOptions& rule) {
  section.string("selector", rule.selector, "Which series, as in queries: 'node_load1{job=\"node\"}', '{__name__=~\"http_.+\",env!=\"test\"}'.")
      .required()
      .checked(check_selector);
  section.duration("step", rule.step, 0s, 1h,
                   "The analysis step of these series; 0 is ingest.analysis_step. Whole seconds. What was learned at another step is learned anew.");
  section.choice("direction", rule.direction, {"both", "above", "below"}, "Where an anomaly may lie, against the expected value.");
  section.number("deviation_min", rule.deviation_min, 0, 1e300,
                 "How far from the expected value an anomaly lies at least, in the unit of the series (of its rate a second, for a counter).");
  section.number("deviation_relative_min", rule.deviation_relative_min, 0, 1e6,
                 "The same as a part of the expected value: 0.1 is ten percent.");
  section.number("value_min", rule.value_min, std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max(),
                 "Only values from here on can be anomalies.");
  section.number("value_max", rule.value_max, std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max(),
                 "Only values up to here can be anomalies.");
  section.integer("warmup", rule.warmup, 0, 100'000, "Steps before the first anomaly, where more than anomaly.warmup.");
  section.boolean("mute", rule.mute, "Learn and score, but never an anomaly.");
  section.number("limit", rule.limit, std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max(),
                 "A value that these series must not reach, as a full disk's: with limit_within, an alert SensusLimitForecast fires while the "
                 "forecast reaches it within that time.");
  section.choice("limit_direction", rule.limit_direction, {"above", "below"}, "Whether the limit is reached by rising or by falling.");
  section.duration("limit_within", rule.limit_within, 0s, std::chrono::hours{24 * 24}, "See limit; 0 = no check. Looked at every ten minutes, 200 series a rule.");
}

}  // namespace

void describe(config::Section& section, Options& options) {
  section.rows("rules", options.rules, describe,
               "What is known of some series and detectors cannot know. A series goes by the first rule whose selector matches it; flat "
               "lines and gaps, which deviate from nothing, are held back by mute and warmup only.");
  section.rows("groups", options.groups, describe,
               "Series that are looked at together, for what none of them shows alone: see docs/detection.md. Of each value of the label a score and "
               "the share of its series that are anomalous become the series sensus_group_score and sensus_anomalous_share.");
  section.strings("holidays", options.holidays, "Days, such as 2026-12-25, that go by the week profile of a Sunday.").checked(check_day);
  section.string("time_zone", options.time_zone, "Zone in which days and weeks of season profiles begin, as in /usr/share/zoneinfo.")
      .checked(check_zone);
}

Result<Rules> Rules::make(const Options& options) {
  Rules rules;
  for (const RuleOptions& rule : options.rules) {
    SENSUS_TRY(rules.selectors_.emplace_back(), read_selector(rule.selector));
    rules.rules_.push_back(rule);
  }
  for (const std::string& day : options.holidays) {
    SENSUS_TRY(rules.holidays_.emplace_back(), parse_day(day));
  }
  SENSUS_TRY_VOID(find_zone(options.time_zone));
  rules.time_zone_ = options.time_zone;
  return rules;
}

ml::Gates Rules::gates(std::optional<std::size_t> rule, Timestamp now) const {
  ml::Gates gates;
  gates.holidays = holidays_;
  const date::sys_seconds at{std::chrono::floor<std::chrono::seconds>(now.time_since_epoch())};
  gates.utc_offset = date::locate_zone(time_zone_)->get_info(at).offset;
  if (!rule) {
    return gates;
  }
  const RuleOptions& options = rules_[*rule];
  gates.direction = ml::parse_direction(options.direction).value_or(ml::Direction::both);
  gates.deviation_min = options.deviation_min;
  gates.deviation_relative_min = options.deviation_relative_min;
  gates.value_min = options.value_min;
  gates.value_max = options.value_max;
  gates.warmup = static_cast<std::size_t>(options.warmup);
  gates.is_muted = options.mute;
  return gates;
}

std::vector<Rules::Limit> Rules::limits() const {
  std::vector<Limit> limits;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const RuleOptions& rule = rules_[i];
    if (rule.limit_within > 0ms) {
      limits.push_back({i, rule.limit, rule.limit_direction == "below", std::chrono::ceil<std::chrono::seconds>(rule.limit_within)});
    }
  }
  return limits;
}

std::vector<Rules::Step> Rules::steps() const {
  std::vector<Step> steps;
  const bool none = std::ranges::all_of(rules_, [](const RuleOptions& rule) { return rule.step == 0ms; });
  for (std::size_t i = 0; !none && i < rules_.size(); ++i) {
    steps.push_back({selectors_[i], std::chrono::ceil<std::chrono::seconds>(rules_[i].step)});
  }
  return steps;
}

}  // namespace sensus::analysis
