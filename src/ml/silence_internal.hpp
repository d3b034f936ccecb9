#pragma once

#include "bytes_internal.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sensus::ml {

/// How unusual it is that a series repeats one value: completed runs of repeats say how often it
/// does that anyway.
class FlatLine {
 public:
  /// After each point; `repeats` counts the points before it with its very value.
  void learn(std::uint64_t repeats) {
    if (repeats > run_) {
      run_ = repeats;
      return;
    }
    moves_ += 1;
    repeated_ += static_cast<double>(run_);
    longest_ = std::max(longest_, static_cast<double>(run_));
    run_ = repeats;
  }
  /// Decades of improbability of a run this long, bounded by how far it exceeds the longest one
  /// before.
  [[nodiscard]] double evidence(std::uint64_t repeats) const {
    if (moves_ < kMovesMin) {
      return 0;
    }
    const auto run = static_cast<double>(repeats);
    const double probability = (repeated_ + 1) / (repeated_ + moves_ + 2);
    return std::min(-run * std::log10(probability), kPerLongest * (run + 1) / (longest_ + 1));
  }
  void write(ByteWriter& out) const {
    out.u64(run_);
    for (const double v : {moves_, repeated_, longest_}) {
      out.f64(v);
    }
  }
  [[nodiscard]] bool read(ByteReader& in) {
    run_ = in.u64();
    bool fine = true;
    for (double* v : {&moves_, &repeated_, &longest_}) {
      *v = in.f64();
      fine = fine && is_bounded(*v) && *v >= 0;
    }
    return in.ok() && fine;
  }

 private:
  static constexpr double kMovesMin = 50;
  static constexpr double kPerLongest = 7.5;
  std::uint64_t run_ = 0;
  double moves_ = 0;     ///< Points that differed from the one before.
  double repeated_ = 0;  ///< Points that did not, in runs that are over.
  double longest_ = 0;
};

/// How unusual it is that nothing came for a while. Irregular series have a wide level, which one
/// outage does not set for ever.
class Gaps {
 public:
  /// Distance of two points, in steps.
  void learn(double steps) {
    level_ = steps > level_ ? (level_ + steps) / 2 : std::max(1.0, level_ * kForget);
  }
  /// Reaches `notable` at ten steps or twice the level, whichever is more.
  [[nodiscard]] double evidence(double steps, double notable) const {
    return notable * steps / std::max(kStepsMin, 2 * level_);
  }
  void write(ByteWriter& out) const { out.f64(level_); }
  [[nodiscard]] bool read(ByteReader& in) {
    level_ = in.f64();
    return in.ok() && level_ >= 1 && is_bounded(level_);
  }

 private:
  static constexpr double kStepsMin = 10;
  static constexpr double kForget = 0.998;
  double level_ = 1;
};

}  // namespace sensus::ml
