#pragma once

#include "bytes_internal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace sensus::ml {

/// How often scores of 0..1 were at least this large. Forgets nothing.
class TailHistogram {
 public:
  void add(double score) { bins_[bin_of(score)] += 1; }
  /// Scores above `score`, linear inside its bin.
  [[nodiscard]] double above(double score) const {
    const std::size_t bin = bin_of(score);
    const double inside = score * kBins - static_cast<double>(bin);
    double count = static_cast<double>(bins_[bin]) * (1 - std::clamp(inside, 0.0, 1.0));
    for (std::size_t i = bin + 1; i < kBins; ++i) {
      count += static_cast<double>(bins_[i]);
    }
    return count;
  }
  void write(ByteWriter& out) const {
    for (const float bin : bins_) {
      out.f32(bin);
    }
  }
  [[nodiscard]] bool read(ByteReader& in) {
    bool fine = true;
    for (float& bin : bins_) {
      bin = in.f32();
      fine = fine && std::isfinite(bin) && bin >= 0;
    }
    return in.ok() && fine;
  }

 private:
  static constexpr std::size_t kBins = 64;
  [[nodiscard]] static std::size_t bin_of(double score) {
    return std::min(kBins - 1, static_cast<std::size_t>(std::clamp(score, 0.0, 1.0) * kBins));
  }
  std::array<float, kBins> bins_{};
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
