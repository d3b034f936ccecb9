#pragma once

#include "bytes_internal.hpp"
#include "code16_internal.hpp"
#include "random_internal.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sensus::ml {

inline constexpr std::size_t kFeatures = 8;
/// In the order of the reservoir's columns: features of one view stand side by side.
enum FeatureIndex : std::size_t {
  kMean,
  kDeviation,
  kShift,
  kSpan,
  kResidual,
  kDrift,
  kWeekly,
  kRepeats
};
inline constexpr std::array<std::string_view, kFeatures> kSeriesFeatureNames{
    "mean", "deviation", "shift", "span", "residual", "drift", "weekly", "repeats"};

using CodeRow = std::array<Code16, kFeatures>;

/// Columns [first, first + count) of a row.
struct View {
  std::string_view name;
  std::size_t first;
  std::size_t count;
};
inline constexpr std::size_t kViews = 5;
inline constexpr std::array<View, kViews> kViewList{{{"shape", kMean, 4},
                                                     {"residual", kResidual, 1},
                                                     {"drift", kDrift, 1},
                                                     {"week", kWeekly, 1},
                                                     {"repeats", kRepeats, 1}}};

/// A random sample of the past that leans to what is recent.
class Reservoir {
 public:
  explicit Reservoir(std::size_t capacity) : capacity_(capacity) {}
  /// Fills up, then replaces a random row with probability max(capacity / seen, recency).
  void offer(const CodeRow& row, double recency, Random& random);
  [[nodiscard]] std::span<const CodeRow> rows() const { return rows_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  /// Multiplies the columns below `kRepeats`.
  void rescale(float factor);
  [[nodiscard]] std::size_t memory_bytes() const { return rows_.capacity() * sizeof(CodeRow); }
  void write(ByteWriter& out) const;
  [[nodiscard]] bool read(ByteReader& in);

 private:
  std::size_t capacity_;
  std::uint64_t seen_ = 0;
  std::vector<CodeRow> rows_;
};

struct ForestShape {
  std::size_t trees = 12;
  std::size_t subsample = 128;
  double padding = 0.3;  ///< Cuts reach this part of a node's width beyond its rows.
};

/// `link` is the distance to the right child times 4, plus the column within the view, and the left
/// child is the next node; 0 makes a leaf, whose `code` is depth + c(rows) in 2048ths.
struct TreeNode {
  Code16 code = 0;
  std::uint16_t link = 0;
};

/// A small Isolation Forest over one view whose trees are replaced one by one.
class ViewForest {
 public:
  /// Builds the next tree in turn from rows drawn without replacement; adds it while there are
  /// fewer than `trees`.
  void rebuild_next(const View& view, std::span<const CodeRow> rows, const ForestShape& shape,
                    Random& random);
  /// E[h(x)]; there is at least one tree.
  [[nodiscard]] double path_length(const View& view, const CodeRow& row) const;
  /// 2^(-E[h(x)] / c(rows a tree learned from)).
  [[nodiscard]] double score(const View& view, const CodeRow& row) const;
  [[nodiscard]] std::size_t trees() const { return starts_.size(); }
  void rescale(float factor);
  [[nodiscard]] std::size_t memory_bytes() const {
    return nodes_.capacity() * sizeof(TreeNode) + starts_.capacity() * sizeof(std::uint16_t);
  }
  void write(ByteWriter& out) const;
  /// Proves every tree well formed: walks stay inside and end.
  [[nodiscard]] bool read(ByteReader& in, std::size_t trees, std::size_t features);

 private:
  [[nodiscard]] bool is_well_formed(std::size_t begin, std::size_t end, std::size_t features) const;

  std::vector<TreeNode> nodes_;
  std::vector<std::uint16_t> starts_;
  std::uint16_t next_ = 0;
  float normalizer_ = 1;
};

/// The same over a view of one column, where a tree is a function in steps: sorted cuts and a path
/// between each two, in half the memory.
class StepForest {
 public:
  void rebuild_next(const View& view, std::span<const CodeRow> rows, const ForestShape& shape,
                    Random& random);
  [[nodiscard]] double path_length(Code16 code) const;
  [[nodiscard]] double score(Code16 code) const;
  [[nodiscard]] std::size_t trees() const { return starts_.size(); }
  void rescale(float factor);
  [[nodiscard]] std::size_t memory_bytes() const {
    return cuts_.capacity() * sizeof(Code16) + paths_.capacity() +
           starts_.capacity() * sizeof(std::uint16_t);
  }
  void write(ByteWriter& out) const;
  [[nodiscard]] bool read(ByteReader& in, std::size_t trees);

 private:
  [[nodiscard]] std::size_t end_of(std::size_t tree) const {
    return tree + 1 < starts_.size() ? starts_[tree + 1] : cuts_.size();
  }

  std::vector<Code16> cuts_;         ///< Of all trees, rising within each.
  std::vector<std::uint8_t> paths_;  ///< In kPathUnits; a tree has one more than it has cuts.
  std::vector<std::uint16_t> starts_;
  std::uint16_t next_ = 0;
  float normalizer_ = 1;
};

}  // namespace sensus::ml
