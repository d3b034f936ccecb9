#pragma once

#include "bytes_internal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sensus::ml {

/// The highest evidence of each six hours of a series: how high its own noise reaches. Extremes of
/// blocks are nearly Gumbel distributed; median and upper quartile fix the two parameters and do
/// not mind that a few blocks held real anomalies.
class BlockMaxima {
 public:
  static constexpr double kBlockUnits = 72;  ///< Points by weight: see StepClock.

  /// Whether a block ended.
  bool learn(double evidence, double unit) {
    highest_ = std::max(highest_, evidence);
    covered_ += unit;
    if (covered_ < kBlockUnits) {
      return false;
    }
    std::uint8_t& bin = bins_[std::min(kBins - 1, static_cast<std::size_t>(highest_ / kWidth))];
    if (bin == 255) {
      for (std::uint8_t& each : bins_) {
        each = static_cast<std::uint8_t>(each / 2);
      }
    }
    ++bin;
    covered_ = 0;
    highest_ = 0;
    return true;
  }
  [[nodiscard]] double blocks() const {
    double sum = 0;
    for (const std::uint8_t bin : bins_) {
      sum += bin;
    }
    return sum;
  }
  /// The evidence that a block passes with this probability; meaningless without blocks.
  [[nodiscard]] double level(double probability) const {
    const double middle = quantile(0.5);
    const double spread = std::max(quantile(kUpper) - middle, kWidth / 2) / kUpperDistance;
    return middle + spread * (kMedianPlace - std::log(-std::log1p(-probability)));
  }
  void write(ByteWriter& out) const {
    out.f64(highest_);
    out.f64(covered_);
    for (const std::uint8_t bin : bins_) {
      out.u16(bin);
    }
  }
  [[nodiscard]] bool read(ByteReader& in) {
    highest_ = in.f64();
    covered_ = in.f64();
    for (std::uint8_t& bin : bins_) {
      bin = static_cast<std::uint8_t>(in.u16());
    }
    return in.ok() && highest_ >= 0 && is_bounded(highest_) && covered_ >= 0 &&
           covered_ <= kBlockUnits;
  }

 private:
  static constexpr std::size_t kBins = 64;
  static constexpr double kWidth = 0.5;
  static constexpr double kMedianPlace =
      -0.3665129205816643;  // ln(ln 2): the median lies this far below -ln(-ln p).
  static constexpr double kUpper = 0.75;
  static constexpr double kUpperDistance =
      0.8794;  // Between the median and this quantile of a standard Gumbel distribution.
  [[nodiscard]] double quantile(double part) const {
    double left = part * blocks();
    for (std::size_t i = 0; i < kBins; ++i) {
      if (left <= bins_[i] && bins_[i] > 0) {
        return kWidth * (static_cast<double>(i) + left / bins_[i]);
      }
      left -= bins_[i];
    }
    return 0;
  }
  double highest_ = 0;
  double covered_ = 0;
  std::array<std::uint8_t, kBins> bins_{};
};

}  // namespace sensus::ml
