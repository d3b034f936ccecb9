#include "view_forest_internal.hpp"

#include "sensus/core/assert.hpp"
#include "sensus/ml/isolation_forest.hpp"
#include "splice_internal.hpp"
#include "view_tree_internal.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr double kStepUnit = 14;  // Paths are at most 8 + c(256) = 18.2.

/// A tree as steps, in the order of its leaves; neighbours with the same path are one.
struct Steps {
  std::array<Code16, ViewTreeBuilder::kRowsMax> cuts{};
  std::array<std::uint8_t, ViewTreeBuilder::kRowsMax + 1> paths{};
  std::size_t size = 0;  ///< Of cuts.
  bool is_empty = true;
};

Steps flatten(std::span<const TreeNode> nodes) {
  struct Open {
    Code16 cut;
    std::size_t right;  ///< Where its right side begins.
  };
  Steps steps;
  std::array<Open, ViewTreeBuilder::kDepthMax + 1> open{};
  std::size_t depth = 0;
  Code16 cut = 0;  // Between the last leaf and the next.
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const TreeNode& node = nodes[i];
    if (depth > 0 && open[depth - 1].right == i) {
      cut = open[--depth].cut;
    }
    if (node.link != 0) {
      open[depth++] = {node.code, i + (node.link >> 2U)};
      continue;
    }
    const auto path =
        static_cast<std::uint8_t>(std::lround(node.code / ViewTreeBuilder::kPathUnit * kStepUnit));
    if (steps.is_empty) {
      steps.paths[0] = path;
      steps.is_empty = false;
    } else if (steps.paths[steps.size] != path) {
      steps.cuts[steps.size++] = cut;
      steps.paths[steps.size] = path;
    }
  }
  return steps;
}

}  // namespace

void StepForest::rebuild_next(const View& view, std::span<const CodeRow> rows,
                              const ForestShape& shape, Random& random) {
  SENSUS_ASSERT(view.count == 1);
  const ViewTreeBuilder tree(view, rows, shape, random);
  normalizer_ = static_cast<float>(average_path_length(tree.rows()));
  const Steps steps = flatten(tree.nodes());
  if (starts_.size() < shape.trees) {
    next_ = static_cast<std::uint16_t>(starts_.size());
    starts_.push_back(static_cast<std::uint16_t>(cuts_.size()));
    splice(cuts_, cuts_.size(), cuts_.size(),
           std::span<const Code16>(steps.cuts).first(steps.size));
    splice(paths_, paths_.size(), paths_.size(),
           std::span<const std::uint8_t>(steps.paths).first(steps.size + 1));
  } else {
    const std::size_t begin = starts_[next_];
    const std::size_t end = end_of(next_);
    splice(cuts_, begin, end, std::span<const Code16>(steps.cuts).first(steps.size));
    splice(paths_, begin + next_, end + next_ + 1,
           std::span<const std::uint8_t>(steps.paths).first(steps.size + 1));
    for (std::size_t i = next_ + 1U; i < starts_.size(); ++i) {
      starts_[i] = static_cast<std::uint16_t>(starts_[i] + steps.size - (end - begin));
    }
  }
  next_ = static_cast<std::uint16_t>((next_ + 1U) % shape.trees);
}

double StepForest::path_length(Code16 code) const {
  std::uint32_t sum = 0;
  for (std::size_t tree = 0; tree < starts_.size(); ++tree) {
    const Code16* first = cuts_.data() + starts_[tree];
    std::size_t left = end_of(tree) - starts_[tree];
    const std::uint8_t* paths = paths_.data() + starts_[tree] + tree;
    // Cuts at or below the code, by halving without branches that the processor would guess wrong.
    const Code16* at = first;
    while (left > 0) {
      const std::size_t half = (left + 1) / 2;
      at += at[half - 1] <= code ? half : 0;
      left -= half;
    }
    sum += paths[at - first];
  }
  return static_cast<double>(sum) / (kStepUnit * static_cast<double>(starts_.size()));
}

double StepForest::score(Code16 code) const {
  return std::exp2(-path_length(code) / static_cast<double>(normalizer_));
}

void StepForest::rescale(float factor) {
  for (Code16& cut : cuts_) {
    cut = encode16(decode16(cut) * factor);
  }
}

void StepForest::write(ByteWriter& out) const {
  out.f32(normalizer_);
  out.u16(next_);
  out.u16(static_cast<std::uint16_t>(starts_.size()));
  out.u16(static_cast<std::uint16_t>(cuts_.size()));
  for (const std::uint16_t start : starts_) {
    out.u16(start);
  }
  for (const Code16 cut : cuts_) {
    out.u16(cut);
  }
  out.text(std::string_view(reinterpret_cast<const char*>(paths_.data()), paths_.size()));
}

bool StepForest::read(ByteReader& in, std::size_t trees) {
  normalizer_ = in.f32();
  next_ = in.u16();
  const std::size_t starts = in.u16();
  const std::size_t cuts = in.u16();
  if (!in.ok() || starts > trees || (starts == 0 && cuts > 0) ||
      in.remaining() < 3 * (starts + cuts)) {
    return false;
  }
  if (!std::isfinite(normalizer_) || normalizer_ <= 0 || next_ > starts || next_ >= trees) {
    return false;
  }
  starts_.resize(starts);
  cuts_.resize(cuts);
  bool fine = true;
  for (std::size_t i = 0; i < starts; ++i) {
    starts_[i] = in.u16();
    fine = fine && (i == 0 ? starts_[0] == 0 : starts_[i] >= starts_[i - 1]) && starts_[i] <= cuts;
  }
  for (Code16& cut : cuts_) {
    cut = in.u16();
  }
  for (std::size_t tree = 0; fine && tree < starts; ++tree) {
    fine = end_of(tree) - starts_[tree] <= ViewTreeBuilder::kRowsMax &&
           std::is_sorted(cuts_.begin() + starts_[tree],
                          cuts_.begin() + static_cast<std::ptrdiff_t>(end_of(tree)));
  }
  const std::string_view paths = in.text(cuts + starts);
  paths_.assign(paths.begin(), paths.end());
  return fine && in.ok();
}

}  // namespace sensus::ml
