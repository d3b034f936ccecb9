#include "tuning_internal.hpp"

namespace sensus::ml {

Tuning tuning_of(Profile profile) {
  Tuning tuning;
  if (profile == Profile::compact) {
    tuning.reservoir = 96;
    tuning.trees = 6;
    tuning.subsample = 32;
    tuning.day_bins = 48;
    tuning.week_bins = 24;
  } else if (profile == Profile::thorough) {
    tuning.reservoir = 1024;
    tuning.subsample = 256;
  }
  return tuning;
}

std::size_t memory_of(Profile profile) {
  constexpr std::size_t kKiB = 1024;
  switch (profile) {
    case Profile::compact: return 8 * kKiB;
    case Profile::standard: return 24 * kKiB;
    case Profile::thorough: return 48 * kKiB;
  }
  return 48 * kKiB;
}

}  // namespace sensus::ml
