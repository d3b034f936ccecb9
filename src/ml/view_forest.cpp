#include "view_forest_internal.hpp"

#include "sensus/core/assert.hpp"
#include "sensus/ml/isolation_forest.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr std::size_t kRowsMax = 256;
constexpr std::size_t kColumnsMax = 4;
constexpr std::size_t kDepthMax = 8;
constexpr std::size_t kNodesMax = (2U << kDepthMax) - 1;
constexpr double kPathUnit = 2048;

/// c(n) for every n that a tree can hold: the logarithm is too slow for every leaf.
double path_of(std::size_t n) {
  static const std::array<double, kRowsMax + 1> table = [] {
    std::array<double, kRowsMax + 1> out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = average_path_length(i);
    }
    return out;
  }();
  return table[n];
}

}  // namespace

class ViewTreeBuilder {
 public:
  using Node = ViewForest::Node;
  ViewTreeBuilder(const View& view, double padding, Random& random)
      : columns_(view.count), padding_(padding), random_(random) {}

  void sample(const View& view, std::span<const CodeRow> rows, std::size_t count) {
    // Selection sampling (Knuth 3.4.2, algorithm S): one pass, no scratch of the reservoir's size.
    std::size_t left = rows.size();
    for (const CodeRow& row : rows) {
      if (random_.below(static_cast<std::uint32_t>(left--)) >= count - size_) {
        continue;
      }
      for (std::size_t c = 0; c < columns_; ++c) {
        cells_[size_][c] = row[view.first + c];
      }
      if (++size_ == count) {
        break;
      }
    }
    limit_ = static_cast<std::size_t>(std::bit_width(size_ - 1));
  }

  std::span<const Node> build() {
    grow(0, size_, 0);
    return std::span(nodes_).first(used_);
  }

 private:
  using Cells = std::array<Code16, kColumnsMax>;

  void leaf(std::size_t rows, std::size_t depth) {
    nodes_[used_++] = {
        static_cast<Code16>(std::lround((static_cast<double>(depth) + path_of(rows)) * kPathUnit)),
        0};
  }

  void grow(std::size_t begin, std::size_t end, std::size_t depth) {
    if (end - begin <= 1 || depth == limit_) {
      leaf(end - begin, depth);
      return;
    }
    Cells low = cells_[begin];
    Cells high = cells_[begin];
    for (std::size_t i = begin + 1; i < end; ++i) {
      for (std::size_t c = 0; c < columns_; ++c) {
        low[c] = std::min(low[c], cells_[i][c]);
        high[c] = std::max(high[c], cells_[i][c]);
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
      leaf(end - begin, depth);
      return;
    }
    const std::size_t column =
        count == 1 ? varying[0] : varying[random_.below(static_cast<std::uint32_t>(count))];
    const double from = decode16(low[column]);
    const double width = decode16(high[column]) - from;
    const double cut = from + width * ((1 + 2 * padding_) * random_.uniform() - padding_);
    const Code16 code = encode16(static_cast<float>(cut));
    const auto first = cells_.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = cells_.begin() + static_cast<std::ptrdiff_t>(end);
    const auto middle =
        std::partition(first, last, [&](const Cells& cells) { return cells[column] < code; });
    const std::size_t split = begin + static_cast<std::size_t>(middle - first);
    const std::size_t self = used_++;
    grow(begin, split, depth + 1);
    nodes_[self] = {code, static_cast<std::uint16_t>((used_ - self) << 2U | column)};
    grow(split, end, depth + 1);
  }

  std::size_t columns_;
  double padding_;
  Random& random_;
  std::size_t limit_ = 0;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
  std::array<Cells, kRowsMax> cells_{};
  std::array<Node, kNodesMax> nodes_{};
};

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
                              const Options& options, Random& random) {
  SENSUS_ASSERT(rows.size() >= 2 && view.count <= kColumnsMax);
  ViewTreeBuilder builder(view, options.padding, random);
  const std::size_t size = std::min({options.subsample, rows.size(), kRowsMax});
  builder.sample(view, rows, size);
  const std::span<const Node> tree = builder.build();
  normalizer_ = static_cast<float>(average_path_length(size));
  if (starts_.size() < options.trees) {
    starts_.push_back(static_cast<std::uint16_t>(nodes_.size()));
    nodes_.insert(nodes_.end(), tree.begin(), tree.end());
    return;
  }
  const std::size_t at = next_;
  const std::size_t begin = starts_[at];
  const std::size_t end = at + 1 < starts_.size() ? starts_[at + 1] : nodes_.size();
  const auto growth =
      static_cast<std::ptrdiff_t>(tree.size()) - static_cast<std::ptrdiff_t>(end - begin);
  if (growth > 0) {
    if (nodes_.size() + static_cast<std::size_t>(growth) > nodes_.capacity()) {
      nodes_.reserve(nodes_.size() + static_cast<std::size_t>(growth) + nodes_.size() / 16);
    }
    nodes_.insert(nodes_.begin() + static_cast<std::ptrdiff_t>(end),
                  static_cast<std::size_t>(growth), Node{});
  } else {
    nodes_.erase(nodes_.begin() + static_cast<std::ptrdiff_t>(end) + growth,
                 nodes_.begin() + static_cast<std::ptrdiff_t>(end));
  }
  std::copy(tree.begin(), tree.end(), nodes_.begin() + static_cast<std::ptrdiff_t>(begin));
  for (std::size_t i = at + 1; i < starts_.size(); ++i) {
    starts_[i] = static_cast<std::uint16_t>(starts_[i] + growth);
  }
  next_ = static_cast<std::uint16_t>((at + 1) % starts_.size());
}

double ViewForest::path_length(const View& view, const CodeRow& row) const {
  const Code16* features = row.data() + view.first;
  std::uint32_t sum = 0;
  for (const std::uint16_t start : starts_) {
    const Node* node = nodes_.data() + start;
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
  for (Node& node : nodes_) {
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
  for (const Node& node : nodes_) {
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
  for (Node& node : nodes_) {
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
  if (begin >= end || end > nodes_.size() || end - begin > kNodesMax) {
    return false;
  }
  std::array<std::size_t, kNodesMax> rights{};
  std::size_t depth = 0;
  for (std::size_t i = begin; i < end; ++i) {
    const Node& node = nodes_[i];
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
