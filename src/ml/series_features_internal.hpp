#pragma once

#include "bytes_internal.hpp"
#include "view_forest_internal.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace sensus::ml {

using FeatureValues = std::array<double, kFeatures>;

/// Stretches of at least five minutes, the last ones of a series: what the shape of the recent past
/// is computed from.
class CellWindow {
 public:
  static constexpr std::size_t kShort = 10;
  static constexpr std::size_t kSpanCells = 20;
  static constexpr std::size_t kBefore = 100;

  /// `is_new` opens a cell, else the point joins the open one.
  void push(double x, bool is_new);
  /// Fills mean, deviation, shift and span.
  void shape(FeatureValues& out) const;
  void write(ByteWriter& out) const;
  [[nodiscard]] bool read(ByteReader& in);

 private:
  static constexpr std::size_t kMeans = kShort + kBefore;
  struct Cell {
    float low = 0;
    float high = 0;
    float mean = 0;
    double squares = 0;  ///< Sum of squared distances from the mean.
    float count = 0;
  };
  [[nodiscard]] double sum(std::size_t begin, std::size_t end) const;
  [[nodiscard]] const Cell& cell(std::size_t age) const {
    return cells_[(opened_ - 1 - age) % kSpanCells];
  }

  std::uint64_t opened_ = 0;
  std::array<Cell, kSpanCells> cells_{};
  std::array<float, kMeans> means_{};  ///< Of closed cells and the open one.
};

/// A mean for each bin of a season that follows slowly.
class SeasonProfile {
 public:
  explicit SeasonProfile(std::size_t bins) : means_(bins, 0), counts_(bins, 0) {}
  [[nodiscard]] bool is_seen(std::size_t bin) const { return counts_[bin] > 0; }
  [[nodiscard]] double mean(std::size_t bin) const { return static_cast<double>(means_[bin]); }
  /// The mean of all until 1 / count falls below `rate_min`, then an exponential one.
  void learn(std::size_t bin, double x, double rate_min);
  [[nodiscard]] std::size_t memory_bytes() const {
    return means_.capacity() * sizeof(float) + counts_.capacity();
  }
  void write(ByteWriter& out) const;
  [[nodiscard]] bool read(ByteReader& in);

 private:
  std::vector<float> means_;
  std::vector<std::uint8_t> counts_;
};

}  // namespace sensus::ml
