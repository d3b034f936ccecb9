#pragma once

#include "bytes_internal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sensus::ml {

/// The largest values seen (of separate hours), for the question how surprising a new record is:
/// the tail beyond the eighth largest is taken for exponential, as the extremes of most noise
/// nearly are.
class Extremes {
 public:
  /// `cell` counts stretches of time; values within `kApart` of each other are one.
  void learn(double value, std::uint32_t cell) {
    const auto x = static_cast<float>(value);
    if (count_ == kKept && x <= values_[kKept - 1]) {
      return;
    }
    std::size_t at = count_;
    for (std::size_t i = 0; i < count_; ++i) {
      if (cell - cells_[i] <= kApart) {
        if (x <= values_[i]) {
          return;
        }
        at = i;
        break;
      }
    }
    if (at == count_) {
      at = count_ < kKept ? count_++ : kKept - 1;
    }
    for (; at > 0 && values_[at - 1] < x; --at) {
      values_[at] = values_[at - 1];
      cells_[at] = cells_[at - 1];
    }
    values_[at] = x;
    cells_[at] = cell;
  }
  /// Decades of improbability of reaching `x`, given that a record is reached; 0 inside.
  [[nodiscard]] double decades_beyond(double value) const {
    const auto x = static_cast<float>(value);
    if (count_ < 3 || x <= values_[0]) {
      return 0;
    }
    double excess = 0;
    for (std::size_t i = 0; i + 1 < count_; ++i) {
      excess += static_cast<double>(values_[i]) - static_cast<double>(values_[count_ - 1]);
    }
    excess /= static_cast<double>(count_ - 1);
    const double over = static_cast<double>(x) - static_cast<double>(values_[0]);
    return excess * kDecadesMax > over / kLn10 ? over / (excess * kLn10) : kDecadesMax;
  }

  void write(ByteWriter& out) const {
    out.u32(static_cast<std::uint32_t>(count_));
    for (std::size_t i = 0; i < count_; ++i) {
      out.f32(values_[i]);
      out.u32(cells_[i]);
    }
  }
  [[nodiscard]] bool read(ByteReader& in) {
    count_ = in.u32();
    bool fine = in.ok() && count_ <= kKept;
    for (std::size_t i = 0; fine && i < count_; ++i) {
      values_[i] = in.f32();
      cells_[i] = in.u32();
      fine =
          is_bounded(static_cast<double>(values_[i])) && (i == 0 || values_[i] <= values_[i - 1]);
    }
    return fine && in.ok();
  }

 private:
  static constexpr std::size_t kKept = 8;
  static constexpr std::uint32_t kApart = 12;
  static constexpr double kDecadesMax = 100;
  static constexpr double kLn10 = 2.302585092994046;
  std::size_t count_ = 0;
  std::array<float, kKept> values_{};
  std::array<std::uint32_t, kKept> cells_{};
};

}  // namespace sensus::ml
