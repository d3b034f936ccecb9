#pragma once

#include "sensus/ml/verdict.hpp"

#include <cstddef>
#include <string>

namespace sensus::analysis {

/// {"mean":..,"shift":..,...}: the first `max` features.
[[nodiscard]] std::string render_features(const ml::Verdict& verdict, std::size_t max);
/// [{"view":..,"feature":..,"value":..,"evidence":..},...]: the first `max` contributions.
[[nodiscard]] std::string render_contributions(const ml::Verdict& verdict, std::size_t max);

}  // namespace sensus::analysis
