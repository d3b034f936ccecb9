#include "sensus/model/metadata.hpp"

#include "sensus/core/assert.hpp"

#include <algorithm>

namespace sensus::model {
namespace {

constexpr std::array<std::string_view, 8> kTypes{"unknown",        "counter", "gauge", "histogram",
                                                 "gaugehistogram", "summary", "info",  "stateset"};

constexpr std::uint8_t bit(MetricType type) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(type));
}

/// Suffixes of series names, and the types that have them. Cumulative: what such a series counts
/// up.
struct Suffix {
  std::string_view text;
  unsigned types;
  bool cumulative;
};
constexpr std::array<Suffix, 8> kSuffixes{{
    {"_total", bit(MetricType::counter), true},
    {"_bucket", bit(MetricType::histogram) | bit(MetricType::gauge_histogram), true},
    {"_sum", bit(MetricType::histogram) | bit(MetricType::summary), true},
    {"_count", bit(MetricType::histogram) | bit(MetricType::summary), true},
    {"_gsum", bit(MetricType::gauge_histogram), false},
    {"_gcount", bit(MetricType::gauge_histogram), false},
    {"_info", bit(MetricType::info), false},
    {"_created", bit(MetricType::counter) | bit(MetricType::histogram) | bit(MetricType::summary),
     false},
}};

const Suffix* suffix_of(std::string_view metric_name) {
  const auto found =
      std::find_if(kSuffixes.begin(), kSuffixes.end(), [metric_name](const Suffix& suffix) {
        return metric_name.size() > suffix.text.size() && metric_name.ends_with(suffix.text);
      });
  return found == kSuffixes.end() ? nullptr : &*found;
}

std::string_view without(std::string_view metric_name, const Suffix& suffix) {
  return metric_name.substr(0, metric_name.size() - suffix.text.size());
}

}  // namespace

std::string_view to_string(MetricType type) {
  const auto index = static_cast<std::size_t>(type);
  SENSUS_ASSERT(index < kTypes.size());
  return kTypes[index];
}

std::optional<MetricType> parse_metric_type(std::string_view text) {
  const auto found = std::find(kTypes.begin(), kTypes.end(), text == "untyped" ? "unknown" : text);
  if (found == kTypes.end()) {
    return std::nullopt;
  }
  return static_cast<MetricType>(found - kTypes.begin());
}

void MetadataBatch::append(const View& entry) {
  rows_.push_back(
      {texts_.size(), entry.family.size(), entry.unit.size(), entry.help.size(), entry.type});
  texts_.append(entry.family).append(entry.unit).append(entry.help);
}

MetadataBatch::View MetadataBatch::operator[](std::size_t index) const {
  const Row& row = rows_[index];
  const std::string_view texts = std::string_view(texts_).substr(row.begin);
  return {texts.substr(0, row.family_size), row.type, texts.substr(row.family_size, row.unit_size),
          texts.substr(row.family_size + row.unit_size, row.help_size)};
}

std::array<std::string_view, kFamilyCandidates> family_candidates(std::string_view metric_name) {
  const Suffix* suffix = suffix_of(metric_name);
  return {metric_name, suffix == nullptr ? std::string_view() : without(metric_name, *suffix)};
}

bool belongs_to(std::string_view metric_name, std::string_view family, MetricType type) {
  if (metric_name == family) {
    return true;
  }
  const Suffix* suffix = suffix_of(metric_name);
  return suffix != nullptr && (suffix->types & bit(type)) != 0 &&
         without(metric_name, *suffix) == family;
}

std::string_view family_of(std::string_view metric_name, MetricType type) {
  // A counter is called by its whole name in remote-write 2.0 and in the text format.
  const Suffix* suffix = type == MetricType::counter ? nullptr : suffix_of(metric_name);
  return suffix != nullptr && (suffix->types & bit(type)) != 0 ? without(metric_name, *suffix)
                                                               : metric_name;
}

bool is_counter_name(std::string_view metric_name) {
  constexpr std::array<std::string_view, 4> kEndings{"_total", "_count", "_sum", "_bucket"};
  for (const std::string_view ending : kEndings) {
    if (metric_name.size() > ending.size() && metric_name.ends_with(ending)) {
      return true;
    }
  }
  return false;
}

ValueKind value_kind(std::string_view metric_name, MetricType type) {
  const Suffix* suffix = suffix_of(metric_name);
  const bool has_suffix = suffix != nullptr && (suffix->types & bit(type)) != 0;
  switch (type) {
    case MetricType::unknown: return ValueKind::unknown;
    case MetricType::counter:
      return has_suffix && !suffix->cumulative ? ValueKind::gauge : ValueKind::cumulative;
    case MetricType::histogram:
    case MetricType::summary:
      return has_suffix && suffix->cumulative ? ValueKind::cumulative : ValueKind::gauge;
    default: return ValueKind::gauge;
  }
}

}  // namespace sensus::model
