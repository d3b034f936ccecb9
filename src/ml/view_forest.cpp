#include "view_forest_internal.hpp"

#include "sensus/ml/isolation_forest.hpp"
#include "splice_internal.hpp"
#include "view_tree_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr double kPathUnit = ViewTreeBuilder::kPathUnit;

}  // namespace

void Reservoir::offer(const CodeRow& row, double recency, Random& random) {
  ++seen_;
  if (rows_.size() < capacity_) {
    if (rows_.size() == rows_.capacity()) {
      rows_.reserve(std::min(capacity_, std::max<std::size_t>(64, 2 * rows_.size())));
    }
    rows_.push_back(row);
    return;
  }
  const double probability =
      std::max(static_cast<double>(capacity_) / static_cast<double>(seen_), recency);
  if (random.uniform() < probability) {
    rows_[random.below(static_cast<std::uint32_t>(rows_.size()))] = row;
  }
}

void Reservoir::rescale(float factor) {
  for (CodeRow& row : rows_) {
    for (std::size_t i = 0; i < kRepeats; ++i) {
      row[i] = encode16(decode16(row[i]) * factor);
    }
  }
}

void Reservoir::write(ByteWriter& out) const {
  out.u64(seen_);
  out.u32(static_cast<std::uint32_t>(rows_.size()));
  for (const CodeRow& row : rows_) {
    for (const Code16 code : row) {
      out.u16(code);
    }
  }
}

bool Reservoir::read(ByteReader& in) {
  seen_ = in.u64();
  const std::size_t count = in.u32();
  if (!in.ok() || count > capacity_ || count > seen_ || in.remaining() < count * sizeof(CodeRow)) {
    return false;
  }
  rows_.resize(count);
  for (CodeRow& row : rows_) {
    for (Code16& code : row) {
      code = in.u16();
    }
  }
  return in.ok();
}

void ViewForest::rebuild_next(const View& view, std::span<const CodeRow> rows,
                              const ForestShape& shape, Random& random) {
  const ViewTreeBuilder tree(view, rows, shape, random);
  normalizer_ = static_cast<float>(average_path_length(tree.rows()));
  if (starts_.size() < shape.trees) {
    starts_.push_back(static_cast<std::uint16_t>(nodes_.size()));
    splice(nodes_, nodes_.size(), nodes_.size(), tree.nodes());
    return;
  }
  const std::size_t begin = starts_[next_];
  const std::size_t end = next_ + 1U < starts_.size() ? starts_[next_ + 1U] : nodes_.size();
  splice(nodes_, begin, end, tree.nodes());
  for (std::size_t i = next_ + 1U; i < starts_.size(); ++i) {
    starts_[i] = static_cast<std::uint16_t>(starts_[i] + tree.nodes().size() - (end - begin));
  }
  next_ = static_cast<std::uint16_t>((next_ + 1U) % starts_.size());
}

double ViewForest::path_length(const View& view, const CodeRow& row) const {
  const Code16* features = row.data() + view.first;
  std::uint32_t sum = 0;
  for (const std::uint16_t start : starts_) {
    const TreeNode* node = nodes_.data() + start;
    while (node->link != 0) {
      node += features[node->link & 3U] < node->code ? 1 : node->link >> 2U;
    }
    sum += node->code;
  }
  return static_cast<double>(sum) / (kPathUnit * static_cast<double>(starts_.size()));
}

double ViewForest::score(const View& view, const CodeRow& row) const {
  return std::exp2(-path_length(view, row) / normalizer_);
}

void ViewForest::rescale(float factor) {
  for (TreeNode& node : nodes_) {
    if (node.link != 0) {
      node.code = encode16(decode16(node.code) * factor);
    }
  }
}

void ViewForest::write(ByteWriter& out) const {
  out.f32(normalizer_);
  out.u16(next_);
  out.u16(static_cast<std::uint16_t>(starts_.size()));
  out.u16(static_cast<std::uint16_t>(nodes_.size()));
  for (const std::uint16_t start : starts_) {
    out.u16(start);
  }
  for (const TreeNode& node : nodes_) {
    out.u16(node.code);
    out.u16(node.link);
  }
}

bool ViewForest::read(ByteReader& in, std::size_t trees, std::size_t features) {
  normalizer_ = in.f32();
  next_ = in.u16();
  const std::size_t starts = in.u16();
  const std::size_t nodes = in.u16();
  if (!in.ok() || starts > trees || (starts == 0) != (nodes == 0) ||
      in.remaining() < 2 * starts + 4 * nodes) {
    return false;
  }
  if (!std::isfinite(normalizer_) || normalizer_ <= 0 || (next_ != 0 && next_ >= starts)) {
    return false;
  }
  starts_.resize(starts);
  nodes_.resize(nodes);
  for (std::uint16_t& start : starts_) {
    start = in.u16();
  }
  for (TreeNode& node : nodes_) {
    node.code = in.u16();
    node.link = in.u16();
  }
  for (std::size_t i = 0; i < starts; ++i) {
    const std::size_t end = i + 1 < starts ? starts_[i + 1] : nodes;
    if ((i == 0 && starts_[0] != 0) || !is_well_formed(starts_[i], end, features)) {
      return false;
    }
  }
  return in.ok();
}

/// A preorder walk with a stack of right children: each must be where its parent says, and the last
/// leaf ends the tree.
bool ViewForest::is_well_formed(std::size_t begin, std::size_t end, std::size_t features) const {
  if (begin >= end || end > nodes_.size() || end - begin > ViewTreeBuilder::kNodesMax) {
    return false;
  }
  std::array<std::size_t, ViewTreeBuilder::kNodesMax> rights{};
  std::size_t depth = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const TreeNode& node = nodes_[i];
    if (node.link == 0) {
      const std::size_t next = depth == 0 ? end : rights[--depth];
      if (next != i + 1) {
        return false;
      }
      continue;
    }
    const std::size_t right = i + (node.link >> 2U);
    if ((node.link & 3U) >= features || right <= i + 1 || right >= end || depth == rights.size()) {
      return false;
    }
    rights[depth++] = right;
  }
  return true;
}

}  // namespace sensus::ml
