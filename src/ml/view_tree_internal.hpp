#pragma once

#include "view_forest_internal.hpp"

#include <array>
#include <cstddef>
#include <span>

namespace sensus::ml {

/// Grows one tree at a time: nodes in preorder, leaves with depth + c(rows). A cut may fall outside
/// the rows of its node ("padding"); where the cuts above leave nothing on one side of it, the node
/// is left out and its other side takes its place: no row can tell.
class ViewTreeBuilder {
 public:
  static constexpr std::size_t kRowsMax = 256;
  static constexpr std::size_t kColumnsMax = 4;
  static constexpr std::size_t kReservoirMax = 1024;
  static constexpr std::size_t kDepthMax = 8;
  static constexpr std::size_t kNodesMax = (2U << kDepthMax) - 1;
  static constexpr double kPathUnit = 2048;

  /// `rows` of the view, drawn without replacement; at least 2.
  ViewTreeBuilder(const View& view, std::span<const CodeRow> rows, const ForestShape& shape,
                  Random& random);
  [[nodiscard]] std::span<const TreeNode> nodes() const { return std::span(nodes_).first(used_); }
  [[nodiscard]] std::size_t rows() const { return size_; }

 private:
  using Cells = std::array<Code16, kColumnsMax>;
  /// Codes that reach a node: [low, high) of each column.
  struct Box {
    std::array<std::uint32_t, kColumnsMax> low{};
    std::array<std::uint32_t, kColumnsMax> high{};
  };
  void draw(const View& view, std::span<const CodeRow> rows, std::size_t count);
  void leaf(std::size_t rows, std::size_t depth);
  void grow(std::size_t begin, std::size_t end, std::size_t depth, Box box);
  /// A column that varies in [begin, end) and its cut; nothing when none does.
  [[nodiscard]] bool choose_cut(std::size_t begin, std::size_t end, std::size_t& column,
                                Code16& cut);

  std::size_t columns_;
  double padding_;
  Random& random_;
  std::size_t limit_ = 0;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
  std::array<Cells, kRowsMax> cells_{};
  std::array<TreeNode, kNodesMax> nodes_{};
};

}  // namespace sensus::ml
