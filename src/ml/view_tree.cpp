#include "view_tree_internal.hpp"

#include "sensus/core/assert.hpp"
#include "sensus/ml/isolation_forest.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace sensus::ml {
namespace {

/// c(n) for every n that a tree can hold: the logarithm is too slow for every leaf.
double path_of(std::size_t n) {
  static const auto table = [] {
    std::array<double, ViewTreeBuilder::kRowsMax + 1> out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = average_path_length(i);
    }
    return out;
  }();
  return table[n];
}

}  // namespace

ViewTreeBuilder::ViewTreeBuilder(const View& view, std::span<const CodeRow> rows,
                                 const ForestShape& shape, Random& random)
    : columns_(view.count), padding_(shape.padding), random_(random) {
  SENSUS_ASSERT(rows.size() >= 2 && columns_ <= kColumnsMax);
  const std::size_t count = std::min({shape.subsample, rows.size(), kRowsMax});
  draw(view, rows, count);
  limit_ = static_cast<std::size_t>(std::bit_width(size_ - 1));
  Box everything;
  everything.high.fill(0x10000);
  if (columns_ == 1) {
    // In order, a node's extremes are its ends and a cut is found by halving.
    std::sort(cells_.begin(), cells_.begin() + static_cast<std::ptrdiff_t>(size_),
              [](const Cells& a, const Cells& b) { return a[0] < b[0]; });
  }
  grow(0, size_, 0, everything);
}

/// The head of a shuffle (Knuth, 3.4.2, algorithm P, stopped early).
void ViewTreeBuilder::draw(const View& view, std::span<const CodeRow> rows, std::size_t count) {
  std::array<std::uint16_t, kReservoirMax> order;
  const std::size_t total = std::min(rows.size(), kReservoirMax);
  std::iota(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(total), std::uint16_t{0});
  for (; size_ < count; ++size_) {
    std::swap(order[size_],
              order[size_ + random_.below(static_cast<std::uint32_t>(total - size_))]);
    const CodeRow& row = rows[order[size_]];
    for (std::size_t c = 0; c < columns_; ++c) {
      cells_[size_][c] = row[view.first + c];
    }
  }
}

void ViewTreeBuilder::leaf(std::size_t rows, std::size_t depth) {
  nodes_[used_++] = {
      static_cast<Code16>(std::lround((static_cast<double>(depth) + path_of(rows)) * kPathUnit)),
      0};
}

bool ViewTreeBuilder::choose_cut(std::size_t begin, std::size_t end, std::size_t& column,
                                 Code16& cut) {
  Cells low = cells_[begin];
  Cells high = cells_[end - 1];
  if (columns_ > 1) {
    high = low;
    for (std::size_t i = begin + 1; i < end; ++i) {
      for (std::size_t c = 0; c < kColumnsMax; ++c) {
        low[c] = std::min(low[c], cells_[i][c]);
        high[c] = std::max(high[c], cells_[i][c]);
      }
    }
  }
  std::array<std::size_t, kColumnsMax> varying{};
  std::size_t count = 0;
  for (std::size_t c = 0; c < columns_; ++c) {
    if (low[c] < high[c]) {
      varying[count++] = c;
    }
  }
  if (count == 0) {
    return false;
  }
  column = count == 1 ? varying[0] : varying[random_.below(static_cast<std::uint32_t>(count))];
  const double from = static_cast<double>(decode16(low[column]));
  const double width = static_cast<double>(decode16(high[column])) - from;
  cut = encode16(
      static_cast<float>(from + width * ((1 + 2 * padding_) * random_.uniform() - padding_)));
  return true;
}

void ViewTreeBuilder::grow(std::size_t begin, std::size_t end, std::size_t depth, Box box) {
  std::size_t column = 0;
  Code16 cut = 0;
  if (end - begin <= 1 || depth == limit_ || !choose_cut(begin, end, column, cut)) {
    leaf(end - begin, depth);
    return;
  }
  const auto first = cells_.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto last = cells_.begin() + static_cast<std::ptrdiff_t>(end);
  const auto is_left = [&](const Cells& cells) { return cells[column] < cut; };
  const auto middle = columns_ == 1 ? std::partition_point(first, last, is_left)
                                    : std::partition(first, last, is_left);
  const std::size_t split = begin + static_cast<std::size_t>(middle - first);
  Box left = box;
  Box right = box;
  left.high[column] = cut;
  right.low[column] = cut;
  if (cut <= box.low[column]) {
    grow(split, end, depth + 1, box);
    return;
  }
  if (cut >= box.high[column]) {
    grow(begin, split, depth + 1, box);
    return;
  }
  const std::size_t self = used_++;
  grow(begin, split, depth + 1, left);
  nodes_[self] = {cut, static_cast<std::uint16_t>((used_ - self) << 2U | column)};
  grow(split, end, depth + 1, right);
}

}  // namespace sensus::ml
