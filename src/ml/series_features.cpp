#include "series_features_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {

void CellWindow::push(double x, bool is_new) {
  const auto value = static_cast<float>(x);
  if (is_new || opened_ == 0) {
    ++opened_;
    cells_[(opened_ - 1) % kSpanCells] = {value, value, value, 0, 1};
    means_[(opened_ - 1) % kMeans] = value;
    return;
  }
  Cell& open = cells_[(opened_ - 1) % kSpanCells];
  const float before = value - open.mean;
  open.low = std::min(open.low, value);
  open.high = std::max(open.high, value);
  open.count += 1;
  open.mean += before / open.count;
  open.squares += static_cast<double>(before) * static_cast<double>(value - open.mean);
  means_[(opened_ - 1) % kMeans] = open.mean;
}

/// Four chains of additions: one would wait for each before the next.
double CellWindow::sum(std::size_t begin, std::size_t end) const {
  std::array<double, 4> sums{};
  std::size_t i = begin;
  for (; i + 4 <= end; i += 4) {
    for (std::size_t lane = 0; lane < 4; ++lane) {
      sums[lane] += static_cast<double>(means_[i + lane]);
    }
  }
  for (; i < end; ++i) {
    sums[0] += static_cast<double>(means_[i]);
  }
  return sums[0] + sums[1] + (sums[2] + sums[3]);
}

void CellWindow::shape(FeatureValues& out) const {
  const std::size_t recent = std::min<std::size_t>(opened_, kShort);
  double count = 0;
  double total = 0;
  for (std::size_t i = 0; i < recent; ++i) {
    count += static_cast<double>(cell(i).count);
    total += static_cast<double>(cell(i).count) * static_cast<double>(cell(i).mean);
  }
  const double mean = total / count;
  double squares = 0;
  for (std::size_t i = 0; i < recent; ++i) {
    const double off = static_cast<double>(cell(i).mean) - mean;
    squares += cell(i).squares + static_cast<double>(cell(i).count) * off * off;
  }
  float low = cell(0).low;
  float high = cell(0).high;
  for (std::size_t i = 1; i < std::min<std::size_t>(opened_, kSpanCells); ++i) {
    low = std::min(low, cell(i).low);
    high = std::max(high, cell(i).high);
  }
  const std::size_t before = std::min<std::size_t>(opened_ - recent, kBefore);
  // The ring holds nothing else than these and the recent ones.
  const std::size_t newest = (opened_ - 1) % kMeans;
  const std::size_t last =
      (newest + kMeans - recent) % kMeans + 1;  // One past the youngest of those before.
  const double before_sum = before <= last ? sum(last - before, last)
                                           : sum(kMeans - (before - last), kMeans) + sum(0, last);
  out[FeatureIndex::kMean] = mean;
  out[FeatureIndex::kDeviation] = std::sqrt(squares / count);
  out[FeatureIndex::kShift] = before == 0 ? 0 : mean - before_sum / static_cast<double>(before);
  out[FeatureIndex::kSpan] = static_cast<double>(high) - static_cast<double>(low);
}

void CellWindow::write(ByteWriter& out) const {
  out.u64(opened_);
  for (const Cell& c : cells_) {
    for (const float v : {c.low, c.high, c.mean, c.count}) {
      out.f32(v);
    }
    out.f64(c.squares);
  }
  for (const float mean : means_) {
    out.f32(mean);
  }
}

bool CellWindow::read(ByteReader& in) {
  opened_ = in.u64();
  bool fine = true;
  for (std::size_t i = 0; i < kSpanCells; ++i) {
    Cell& c = cells_[i];
    for (float* v : {&c.low, &c.high, &c.mean, &c.count}) {
      *v = in.f32();
      fine = fine && is_bounded(static_cast<double>(*v));
    }
    c.squares = in.f64();
    fine = fine && c.squares >= 0 && c.squares <= 1e70 && (i >= opened_ || c.count >= 1);
  }
  for (float& mean : means_) {
    mean = in.f32();
    fine = fine && is_bounded(static_cast<double>(mean));
  }
  return in.ok() && fine;
}

void SeasonProfile::learn(std::size_t bin, double x, double rate_min) {
  const double rate = std::max(rate_min, 1.0 / (counts_[bin] + 1));
  means_[bin] = static_cast<float>(mean(bin) + rate * (x - mean(bin)));
  counts_[bin] = static_cast<std::uint8_t>(std::min(counts_[bin] + 1, 255));
}

void SeasonProfile::write(ByteWriter& out) const {
  for (const float mean : means_) {
    out.f32(mean);
  }
  out.text(std::string_view(reinterpret_cast<const char*>(counts_.data()), counts_.size()));
}

bool SeasonProfile::read(ByteReader& in) {
  for (float& mean : means_) {
    mean = in.f32();
    if (!is_bounded(static_cast<double>(mean))) {
      return false;
    }
  }
  const std::string_view counts = in.text(counts_.size());
  std::ranges::transform(counts, counts_.begin(),
                         [](char c) { return static_cast<std::uint8_t>(c); });
  return in.ok();
}

}  // namespace sensus::ml
