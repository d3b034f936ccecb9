#pragma once

#include "sensus/core/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::ml {

/// Rows of equal width, row-major.
class Matrix {
 public:
  explicit Matrix(std::size_t columns) : columns_(columns) {}
  void reserve(std::size_t rows) { values_.reserve(rows * columns_); }
  /// The row has `columns()` values.
  void append(std::span<const double> row) { values_.insert(values_.end(), row.begin(), row.end()); }
  [[nodiscard]] std::size_t rows() const { return columns_ == 0 ? 0 : values_.size() / columns_; }
  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] std::span<const double> row(std::size_t i) const { return std::span(values_).subspan(i * columns_, columns_); }

 private:
  std::size_t columns_;
  std::vector<double> values_;
};

struct ForestParams {
  std::size_t trees = 100;      ///< 1 to 4096.
  std::size_t subsample = 256;  ///< Rows a tree learns from, 2 to 16384; all of them when there are fewer.
  std::uint64_t seed = 1;
};

/// Average path length of an unsuccessful search in a binary search tree of n points: c(n) = 2 H(n-1) - 2(n-1)/n, H(i) = ln(i) +
/// 0.5772156649 (Liu, Ting, Zhou 2008, eq. 1); c(2) = 1, c(0) = c(1) = 0.
[[nodiscard]] double average_path_length(std::size_t n);

/// Isolation Forest (Liu, Ting, Zhou, ICDM 2008): trees over subsamples without replacement, height limit ceil(log2 psi), random
/// attribute and cut; score s = 2^(-E[h(x)] / c(psi)). An attribute that is constant in a node is not chosen there. Values are compared
/// as float: a node takes 8 bytes, and rows that differ by less than one part in 10^7 are the same. Pure, deterministic for a seed.
/// **Threading**: const methods from any thread.
class IsolationForest {
 public:
  /// `invalid_input` for fewer than 2 rows, no columns, more than 1024 columns, non-finite values, or parameters out of bounds.
  [[nodiscard]] static Result<IsolationForest> fit(const Matrix& data, const ForestParams& params);
  /// 0..1; above about 0.6 is unusual, 0.5 ordinary. The row has `columns()` values, none of them NaN.
  [[nodiscard]] double score(std::span<const double> row) const;
  /// E[h(x)]: the mean over the trees of depth + c(rows left in the leaf).
  [[nodiscard]] double path_length(std::span<const double> row) const;
  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] std::size_t trees() const { return roots_.size(); }
  /// Rows each tree learned from: psi.
  [[nodiscard]] std::size_t subsample() const { return subsample_; }
  [[nodiscard]] std::size_t memory_bytes() const;

  /// Versioned binary form with a checksum; the same bytes on every platform. `corrupt` when it does not hold: the bytes may be hostile.
  [[nodiscard]] std::string serialize() const;
  [[nodiscard]] static Result<IsolationForest> deserialize(std::string_view bytes);

 private:
  /// Preorder: the left child is the next node.
  struct Node {
    float cut_or_path = 0;      ///< Inner: values below the cut go left. Leaf: depth + c(size).
    std::uint16_t right = 0;    ///< Distance to the right child; 0 = leaf.
    std::uint16_t feature = 0;
  };
  IsolationForest() = default;
  [[nodiscard]] bool is_well_formed() const;
  friend class TreeBuilder;

  std::size_t columns_ = 0;
  std::size_t subsample_ = 0;
  double normalizer_ = 1;             ///< c(psi)
  std::vector<Node> nodes_;           ///< All trees, one after another.
  std::vector<std::uint32_t> roots_;
};

}  // namespace sensus::ml
