#include "sensus/ml/isolation_forest.hpp"

#include "sensus/core/assert.hpp"
#include "random_internal.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

namespace sensus::ml {
namespace {

constexpr std::size_t kTreesMax = 4096;
constexpr std::size_t kSubsampleMax = 16'384;  // 2 psi - 1 nodes a tree fit Node::right.
constexpr std::size_t kColumnsMax = 1024;

float to_float(double value) {
  constexpr double kMax = std::numeric_limits<float>::max();
  return static_cast<float>(std::clamp(value, -kMax, kMax));
}

Result<> check(const Matrix& data, const ForestParams& params) {
  if (params.trees < 1 || params.trees > kTreesMax) {
    return make_error(Errc::invalid_input, "an isolation forest has 1 to 4096 trees", "trees");
  }
  if (params.subsample < 2 || params.subsample > kSubsampleMax) {
    return make_error(Errc::invalid_input, "a tree learns from 2 to 16384 rows", "subsample");
  }
  if (data.columns() < 1 || data.columns() > kColumnsMax) {
    return make_error(Errc::invalid_input, "an isolation forest takes 1 to 1024 columns", "columns");
  }
  if (data.rows() < 2) {
    return make_error(Errc::invalid_input, "an isolation forest learns from 2 rows or more", "rows");
  }
  for (std::size_t i = 0; i < data.rows(); ++i) {
    if (!std::ranges::all_of(data.row(i), [](double v) { return std::isfinite(v); })) {
      return make_error(Errc::invalid_input, "an isolation forest takes finite values only", "row " + std::to_string(i));
    }
  }
  return {};
}

}  // namespace

double average_path_length(std::size_t n) {
  if (n <= 1) {
    return 0;
  }
  if (n == 2) {
    return 1;
  }
  constexpr double kEuler = 0.5772156649;
  const auto size = static_cast<double>(n);
  return 2 * (std::log(size - 1) + kEuler) - 2 * (size - 1) / size;
}

/// Grows trees into a forest's flat node array. Works on a float copy of the data and on row numbers, partitioned in place.
class TreeBuilder {
 public:
  TreeBuilder(IsolationForest& forest, const Matrix& data, std::uint64_t seed)
      : forest_(forest), columns_(data.columns()), random_(seed), rows_(data.rows()), features_(data.columns()) {
    values_.reserve(data.rows() * columns_);
    for (std::size_t i = 0; i < data.rows(); ++i) {
      std::ranges::transform(data.row(i), std::back_inserter(values_), to_float);
    }
    std::iota(rows_.begin(), rows_.end(), 0U);
    std::iota(features_.begin(), features_.end(), std::uint16_t{0});
    height_max_ = static_cast<std::size_t>(std::bit_width(forest.subsample_ - 1));  // ceil(log2 psi)
  }

  void grow() {
    // The first psi steps of a Fisher-Yates shuffle: a sample without replacement, whatever order the last tree left.
    for (std::size_t i = 0; i < forest_.subsample_; ++i) {
      const std::size_t j = i + random_.below(static_cast<std::uint32_t>(rows_.size() - i));
      std::swap(rows_[i], rows_[j]);
    }
    forest_.roots_.push_back(static_cast<std::uint32_t>(forest_.nodes_.size()));
    grow_node(std::span(rows_).first(forest_.subsample_), 0);
  }

 private:
  struct Range {
    float low;
    float high;
  };

  [[nodiscard]] float value(std::uint32_t row, std::size_t feature) const { return values_[row * columns_ + feature]; }

  [[nodiscard]] Range range_of(std::span<const std::uint32_t> rows, std::size_t feature) const {
    Range range{value(rows.front(), feature), value(rows.front(), feature)};
    for (const std::uint32_t row : rows.subspan(1)) {
      range.low = std::min(range.low, value(row, feature));
      range.high = std::max(range.high, value(row, feature));
    }
    return range;
  }

  void grow_node(std::span<std::uint32_t> rows, std::size_t depth) {
    const std::size_t self = forest_.nodes_.size();
    forest_.nodes_.emplace_back();
    std::uint16_t feature = 0;
    Range range{};
    if (rows.size() <= 1 || depth >= height_max_ || !choose_feature(rows, feature, range)) {
      forest_.nodes_[self].cut_or_path = static_cast<float>(static_cast<double>(depth) + average_path_length(rows.size()));
      return;
    }
    const float cut = choose_cut(range);
    const auto middle = std::partition(rows.begin(), rows.end(), [&](std::uint32_t row) { return value(row, feature) < cut; });
    const auto left_size = static_cast<std::size_t>(middle - rows.begin());
    grow_node(rows.first(left_size), depth + 1);
    const std::size_t right = forest_.nodes_.size() - self;
    grow_node(rows.subspan(left_size), depth + 1);
    forest_.nodes_[self] = {cut, static_cast<std::uint16_t>(right), feature};
  }

  /// A random attribute among those that differ within the rows; false when none does.
  bool choose_feature(std::span<const std::uint32_t> rows, std::uint16_t& feature, Range& range) {
    for (std::size_t i = 0; i < columns_; ++i) {
      const std::size_t j = i + random_.below(static_cast<std::uint32_t>(columns_ - i));
      std::swap(features_[i], features_[j]);
      feature = features_[i];
      range = range_of(rows, feature);
      if (range.low < range.high) {
        return true;
      }
    }
    return false;
  }

  /// In (low, high]: with `value < cut` to the left, neither side is empty.
  float choose_cut(Range range) {
    const double low = range.low;
    const double high = range.high;
    const double at = random_.uniform();
    const float cut = to_float(low * (1 - at) + high * at);
    return cut > range.low && cut <= range.high ? cut : range.high;
  }

  IsolationForest& forest_;
  std::size_t columns_;
  Random random_;
  std::vector<float> values_;
  std::vector<std::uint32_t> rows_;
  std::vector<std::uint16_t> features_;
  std::size_t height_max_ = 0;
};

Result<IsolationForest> IsolationForest::fit(const Matrix& data, const ForestParams& params) {
  SENSUS_TRY_VOID(check(data, params));
  IsolationForest forest;
  forest.columns_ = data.columns();
  forest.subsample_ = std::min(params.subsample, data.rows());
  forest.normalizer_ = average_path_length(forest.subsample_);
  forest.roots_.reserve(params.trees);
  TreeBuilder builder(forest, data, params.seed);
  for (std::size_t i = 0; i < params.trees; ++i) {
    builder.grow();
  }
  forest.nodes_.shrink_to_fit();
  return forest;
}

double IsolationForest::path_length(std::span<const double> row) const {
  SENSUS_ASSERT(row.size() == columns_);
  std::array<float, 16> near{};
  std::vector<float> far;  // Only for wide rows: the usual ones need no allocation.
  std::span<float> values(near);
  if (row.size() > near.size()) {
    far.resize(row.size());
    values = far;
  }
  std::ranges::transform(row, values.begin(), to_float);
  double sum = 0;
  for (const std::uint32_t root : roots_) {
    const Node* node = &nodes_[root];
    while (node->right != 0) {
      node += values[node->feature] < node->cut_or_path ? 1 : node->right;
    }
    sum += static_cast<double>(node->cut_or_path);
  }
  return sum / static_cast<double>(roots_.size());
}

double IsolationForest::score(std::span<const double> row) const { return std::exp2(-path_length(row) / normalizer_); }

std::size_t IsolationForest::memory_bytes() const {
  return sizeof(*this) + nodes_.capacity() * sizeof(Node) + roots_.capacity() * sizeof(std::uint32_t);
}

}  // namespace sensus::ml
