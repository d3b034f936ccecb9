#include "sensus/ml/verdict.hpp"
#include "sensus/ml/detector.hpp"

#include <array>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr std::array<std::string_view, 9> kKindNames{
    "", "point", "level", "variance", "seasonal", "range", "flat_line", "gap", "unseen_season"};
constexpr std::array<std::string_view, 3> kTierNames{"none", "notable", "alerting"};
constexpr std::array<std::string_view, 3> kProfileNames{"compact", "standard", "thorough"};
constexpr std::array<std::string_view, 3> kDirectionNames{"both", "above", "below"};

template <class Enum, std::size_t N>
std::optional<Enum> parse(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == name) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view name_of(AnomalyKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }
std::optional<AnomalyKind> parse_anomaly_kind(std::string_view name) {
  return parse<AnomalyKind>(kKindNames, name);
}
std::string_view name_of(Tier tier) { return kTierNames[static_cast<std::size_t>(tier)]; }
std::string_view name_of(Profile profile) {
  return kProfileNames[static_cast<std::size_t>(profile)];
}
std::optional<Profile> parse_profile(std::string_view name) {
  return parse<Profile>(kProfileNames, name);
}
std::string_view name_of(Direction direction) {
  return kDirectionNames[static_cast<std::size_t>(direction)];
}
std::optional<Direction> parse_direction(std::string_view name) {
  return parse<Direction>(kDirectionNames, name);
}

bool lets_pass(const Gates& gates, double value, double expected) {
  const double deviation = value - expected;
  if (gates.is_muted || value < gates.value_min || value > gates.value_max) {
    return false;
  }
  if ((gates.direction == Direction::above && deviation < 0) ||
      (gates.direction == Direction::below && deviation > 0)) {
    return false;
  }
  return std::abs(deviation) >= gates.deviation_min &&
         std::abs(deviation) >= gates.deviation_relative_min * std::abs(expected);
}

}  // namespace sensus::ml
