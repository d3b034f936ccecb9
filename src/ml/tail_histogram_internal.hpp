#pragma once

#include "bytes_internal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sensus::ml {

/// How often scores of 0..1 were at least this large. Forgets nothing, but counts coarser after
/// 65535 in a bin.
class TailHistogram {
 public:
  void add(double score) {
    std::uint16_t& bin = bins_[bin_of(score)];
    if (bin == 65535) {
      // All are halved, rounded up: what was seen once stays seen.
      for (std::uint16_t& each : bins_) {
        each = static_cast<std::uint16_t>((each + 1) / 2);
      }
      weight_ *= 2;
    }
    // Past the first halving a score counts when it is the n-th, which keeps sums right without a
    // random draw.
    if (weight_ <= 1 || ++skipped_ % static_cast<std::uint32_t>(weight_) == 0) {
      ++bin;
    }
  }
  /// Scores above `score`, linear inside its bin.
  [[nodiscard]] double above(double score) const {
    const std::size_t bin = bin_of(score);
    const double inside = score * kBins - static_cast<double>(bin);
    std::uint32_t higher = 0;
    for (std::size_t i = bin + 1; i < kBins; ++i) {
      higher += bins_[i];
    }
    const double count =
        static_cast<double>(bins_[bin]) * (1 - std::clamp(inside, 0.0, 1.0)) + higher;
    return count * weight_;
  }
  void write(ByteWriter& out) const {
    for (const std::uint16_t bin : bins_) {
      out.u16(bin);
    }
    out.f64(weight_);
    out.u32(skipped_);
  }
  [[nodiscard]] bool read(ByteReader& in) {
    for (std::uint16_t& bin : bins_) {
      bin = in.u16();
    }
    weight_ = in.f64();
    skipped_ = in.u32();
    return in.ok() && weight_ >= 1 && weight_ <= 1e9;
  }

 private:
  static constexpr std::size_t kBins = 64;
  [[nodiscard]] static std::size_t bin_of(double score) {
    return std::min(kBins - 1, static_cast<std::size_t>(std::clamp(score, 0.0, 1.0) * kBins));
  }
  std::array<std::uint16_t, kBins> bins_{};
  double weight_ = 1;  ///< Of one count.
  std::uint32_t skipped_ = 0;
};

/// How far a number lies outside everything before it, in widths of what was seen.
class SeenRange {
 public:
  /// 0 inside.
  [[nodiscard]] double beyond(double v) const {
    const double width = high_ - low_;
    return width > 0 ? std::max({0.0, (v - high_) / width, (low_ - v) / width}) : 0;
  }
  void learn(double v) {
    low_ = is_empty_ ? v : std::min(low_, v);
    high_ = is_empty_ ? v : std::max(high_, v);
    is_empty_ = false;
  }
  [[nodiscard]] double width() const { return high_ - low_; }
  void write(ByteWriter& out) const {
    out.f64(low_);
    out.f64(high_);
    out.u16(is_empty_ ? 1 : 0);
  }
  [[nodiscard]] bool read(ByteReader& in) {
    low_ = in.f64();
    high_ = in.f64();
    is_empty_ = in.u16() != 0;
    return in.ok() && is_bounded(low_) && is_bounded(high_) && low_ <= high_;
  }

 private:
  double low_ = 0;
  double high_ = 0;
  bool is_empty_ = true;
};

}  // namespace sensus::ml
