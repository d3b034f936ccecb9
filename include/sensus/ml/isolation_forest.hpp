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
  Matrix(std::size_t columns) : columns_(columns) {}
  void append(std::span<const double> row) { values_.insert(values_.end(), row.begin(), row.end()); }
  [[nodiscard]] std::size_t rows() const { return columns_ == 0 ? 0 : values_.size() / columns_; }
  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] std::span<const double> row(std::size_t i) const { return std::span(values_).subspan(i * columns_, columns_); }

 private:
  std::size_t columns_;
  std::vector<double> values_;
};

struct ForestParams {
  std::size_t trees = 100;
  std::size_t subsample = 256;
  std::uint64_t seed = 1;
};

/// Average path length of an unsuccessful search in a binary search tree of n points: c(n) = 2 H(n-1) - 2(n-1)/n, H(i) = ln(i) +
/// 0.5772156649 (Liu, Ting, Zhou 2008, eq. 1); c(2) = 1, c(0) = c(1) = 0.
[[nodiscard]] double average_path_length(std::size_t n);

/// Isolation Forest (Liu, Ting, Zhou, ICDM 2008): trees over subsamples without replacement, height limit ceil(log2 psi), random
/// attribute and cut; score s = 2^(-E[h(x)] / c(psi)). Pure, deterministic for a seed. **Threading**: const methods from any thread.
class IsolationForest {
 public:
  /// `invalid_input` for fewer than 2 rows or non-finite values.
  [[nodiscard]] static Result<IsolationForest> fit(const Matrix& data, const ForestParams& params);
  /// 0..1; above about 0.6 is unusual, 0.5 ordinary. The row has `columns()` values.
  [[nodiscard]] double score(std::span<const double> row) const;
  [[nodiscard]] std::size_t columns() const { return columns_; }

  /// Versioned binary form with a checksum; `corrupt` when it does not hold.
  [[nodiscard]] std::string serialize() const;
  [[nodiscard]] static Result<IsolationForest> deserialize(std::string_view bytes);

 private:
  struct Node {
    float cut_or_path = 0;      ///< Inner: cut. Leaf: depth + c(size).
    std::uint32_t right = 0;    ///< 0 = leaf; the left child is the next node.
    std::uint32_t feature = 0;
  };
  IsolationForest() = default;
  friend class TreeBuilder;

  std::size_t columns_ = 0;
  std::size_t subsample_ = 0;
  std::vector<std::vector<Node>> trees_;
};

}  // namespace sensus::ml
