#include "bytes_internal.hpp"
#include "series_detector_internal.hpp"

#include <cmath>

namespace sensus::ml {
namespace {

constexpr std::uint32_t kMagic = 0x31445353;  // "SSD1"; the last digit is the version.

Error corrupt(const char* what) {
  return make_error(Errc::corrupt, std::string("detector state: ") + what);
}

/// State learned under another profile or seed is of no use.
std::uint64_t fingerprint(const DetectorParams& params) {
  ByteWriter out;
  out.u64(static_cast<std::uint64_t>(params.profile));
  out.u64(params.seed);
  out.u64(params.warmup);
  const std::string bytes = std::move(out).finish();
  return checksum(bytes);
}

}  // namespace

std::string SeriesDetector::serialize() const {
  ByteWriter out;
  out.u32(kMagic);
  out.u64(fingerprint(params_));
  out.u64(random_.state());
  out.u64(static_cast<std::uint64_t>(to_unix_us(last_time_)));
  clock_.write(out);
  for (const double v : {first_value_, last_value_, cell_opened_, age_, drift_, next_rebuild_,
                         sustained_, level_, odd_seconds_, feedback_, block_step_, profile_sum_}) {
    out.f64(v);
  }
  for (const std::uint64_t v : {points_, repeats_, scored_, recent_cells_}) {
    out.u64(v);
  }
  out.u64(static_cast<std::uint64_t>(to_unix_us(odd_since_)));
  out.u32(pending_trees_);
  out.u32(next_view_);
  out.u32(static_cast<std::uint32_t>(exponent_));
  out.u16(static_cast<std::uint16_t>(flat_told_));
  out.u16(static_cast<std::uint16_t>(gap_told_));
  maxima_.write(out);
  flat_.write(out);
  gaps_.write(out);
  highest_values_.write(out);
  lowest_values_.write(out);
  out.u32(profile_bins_);
  trend_.write(out);
  expectation_.write(out);
  window_.write(out);
  day_.write(out);
  week_.write(out);
  value_range_.write(out);
  for (const SeenRange& range : ranges_) {
    range.write(out);
  }
  reservoir_.write(out);
  shape_.write(out);
  for (const StepForest& forest : residuals_) {
    forest.write(out);
  }
  for (const TailHistogram& histogram : histograms_) {
    histogram.write(out);
  }
  for (const std::uint16_t f : recent_) {
    out.u16(f);
  }
  return std::move(out).finish();
}

bool SeriesDetector::read(ByteReader& in) {
  random_ = Random(in.u64());
  last_time_ = from_unix_us(static_cast<std::int64_t>(in.u64()));
  bool fine = clock_.read(in);
  for (double* v : {&first_value_, &last_value_, &cell_opened_, &age_, &drift_, &next_rebuild_,
                    &sustained_, &level_, &odd_seconds_, &feedback_, &block_step_, &profile_sum_}) {
    *v = in.f64();
    fine = fine && is_bounded(*v);
  }
  for (std::uint64_t* v : {&points_, &repeats_, &scored_, &recent_cells_}) {
    *v = in.u64();
  }
  odd_since_ = from_unix_us(static_cast<std::int64_t>(in.u64()));
  pending_trees_ = in.u32();
  next_view_ = in.u32();
  exponent_ = static_cast<std::int32_t>(in.u32());
  const std::uint16_t told = in.u16();
  flat_told_ = static_cast<Tier>(told);
  gap_told_ = static_cast<Tier>(std::min<std::uint16_t>(in.u16(), static_cast<std::uint16_t>(Tier::alerting)));
  fine = fine && told <= static_cast<std::uint16_t>(Tier::alerting) && maxima_.read(in) &&
         flat_.read(in) && gaps_.read(in) && highest_values_.read(in) && lowest_values_.read(in);
  fine = fine && age_ >= 0 && block_step_ >= 0 && next_view_ < kViews &&
         pending_trees_ <= tuning_.trees * kViews && std::abs(exponent_) <= 1000;
  profile_bins_ = in.u32();
  if (!fine || profile_bins_ > tuning_.day_bins || !trend_.read(in) || !expectation_.read(in) ||
      !window_.read(in) || !day_.read(in) || !week_.read(in) || !value_range_.read(in)) {
    return false;
  }
  for (SeenRange& range : ranges_) {
    fine = fine && range.read(in);
  }
  fine = fine && reservoir_.read(in);
  fine = fine && shape_.read(in, tuning_.trees, kViewList[0].count);
  for (StepForest& forest : residuals_) {
    fine = fine && forest.read(in, tuning_.trees) && forest.trees() == shape_.trees();
  }
  for (TailHistogram& histogram : histograms_) {
    fine = fine && histogram.read(in);
  }
  const bool can_rebuild =
      reservoir_.rows().size() >= 2 || (pending_trees_ == 0 && shape_.trees() == 0);
  for (std::uint16_t& f : recent_) {
    f = in.u16();
  }
  return fine && can_rebuild && in.at_end();
}

Result<std::unique_ptr<Detector>> SeriesDetector::restore(const DetectorParams& params,
                                                          std::string_view bytes) {
  ByteReader in(bytes);
  if (!in.ok()) {
    return corrupt("the checksum does not hold");
  }
  auto detector = std::make_unique<SeriesDetector>(params, tuning_of(params.profile));
  if (in.u32() != kMagic || in.u64() != fingerprint(detector->params_)) {
    return corrupt("of another version, profile or seed");
  }
  if (!detector->read(in)) {
    return corrupt("values contradict each other");
  }
  detector->refresh_thresholds();
  return std::unique_ptr<Detector>(std::move(detector));
}

Result<std::unique_ptr<Detector>> restore_detector(const DetectorParams& params,
                                                   std::string_view bytes) {
  return SeriesDetector::restore(params, bytes);
}

}  // namespace sensus::ml
