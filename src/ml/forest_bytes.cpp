#include "sensus/ml/isolation_forest.hpp"

#include "bytes_internal.hpp"

#include <cmath>

namespace sensus::ml {
namespace {

constexpr std::uint32_t kMagic = 0x31464953;  // "SIF1"; the last digit is the version.
constexpr std::size_t kNodeBytes = 8;

Error corrupt(const char* what) { return make_error(Errc::corrupt, std::string("isolation forest: ") + what); }

}  // namespace

std::string IsolationForest::serialize() const {
  ByteWriter out;
  out.u32(kMagic);
  out.u32(static_cast<std::uint32_t>(columns_));
  out.u32(static_cast<std::uint32_t>(subsample_));
  out.u32(static_cast<std::uint32_t>(roots_.size()));
  out.u32(static_cast<std::uint32_t>(nodes_.size()));
  for (const std::uint32_t root : roots_) {
    out.u32(root);
  }
  for (const Node& node : nodes_) {
    out.f32(node.cut_or_path);
    out.u16(node.right);
    out.u16(node.feature);
  }
  return std::move(out).finish();
}

Result<IsolationForest> IsolationForest::deserialize(std::string_view bytes) {
  ByteReader in(bytes);
  if (!in.ok()) {
    return corrupt("the checksum does not hold");
  }
  if (in.u32() != kMagic) {
    return corrupt("not a forest, or of another version");
  }
  IsolationForest forest;
  forest.columns_ = in.u32();
  forest.subsample_ = in.u32();
  const std::size_t roots = in.u32();
  const std::size_t nodes = in.u32();
  // Sizes are held against the bytes there are before anything is allocated.
  if (!in.ok() || forest.columns_ < 1 || forest.columns_ > 65'535 || forest.subsample_ < 2 || roots < 1 || nodes < roots ||
      in.remaining() != roots * 4 + nodes * kNodeBytes) {
    return corrupt("sizes contradict each other");
  }
  forest.roots_.reserve(roots);
  for (std::size_t i = 0; i < roots; ++i) {
    forest.roots_.push_back(in.u32());
  }
  forest.nodes_.reserve(nodes);
  for (std::size_t i = 0; i < nodes; ++i) {
    const float cut_or_path = in.f32();
    const std::uint16_t right = in.u16();
    const std::uint16_t feature = in.u16();
    forest.nodes_.push_back({cut_or_path, right, feature});
  }
  forest.normalizer_ = average_path_length(forest.subsample_);
  if (!in.at_end() || !forest.is_well_formed()) {
    return corrupt("a tree is not well formed");
  }
  return forest;
}

/// Every tree is one preorder walk: a right child begins where the left subtree ends, and a tree begins where the one before ends. So a
/// descent stays inside its tree and ends.
bool IsolationForest::is_well_formed() const {
  std::vector<std::size_t> rights;  // Where inner nodes whose left side is open expect their right child.
  std::size_t awaited = 0;          // Nodes that the current tree still needs.
  std::size_t tree = 0;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (awaited == 0) {
      if (tree == roots_.size() || roots_[tree] != i) {
        return false;
      }
      ++tree;
      awaited = 1;
    }
    const Node& node = nodes_[i];
    const bool inner = node.right != 0;
    if (!std::isfinite(node.cut_or_path) || (inner ? node.feature >= columns_ : node.cut_or_path < 0)) {
      return false;
    }
    if (inner) {
      rights.push_back(i + node.right);
      ++awaited;
      continue;
    }
    --awaited;
    if (awaited == 0) {
      continue;
    }
    if (rights.back() != i + 1) {
      return false;
    }
    rights.pop_back();
  }
  return awaited == 0 && tree == roots_.size();
}

}  // namespace sensus::ml
