#include "bytes_internal.hpp"
#include "forest_detector_internal.hpp"

#include <cmath>

namespace sensus::ml {
namespace {

constexpr std::uint32_t kMagic = 0x31444653;  // "SFD1"; the last digit is the version.

Error corrupt(const char* what) { return make_error(Errc::corrupt, std::string("forest detector: ") + what); }

/// State learned under other parameters is of no use.
std::uint64_t fingerprint(const ForestDetectorParams& params) {
  ByteWriter out;
  out.u64(params.trees);
  out.u64(params.subsample);
  out.u64(params.history);
  out.u64(params.warmup);
  out.f64(params.threshold);
  out.u64(params.seed);
  const std::string bytes = std::move(out).finish();
  return checksum(bytes);
}

bool is_sane(const RobustScale& scale) {
  return std::isfinite(scale.center) && std::isfinite(scale.spread) && scale.spread >= 0;
}

}  // namespace

std::string ForestDetector::serialize() const {
  ByteWriter out;
  out.u32(kMagic);
  out.u64(fingerprint(params_));
  out.u64(static_cast<std::uint64_t>(to_unix_us(last_time_)));
  for (const double v : {previous_, before_previous_, pressure_, summary_.history.center, summary_.history.spread, summary_.low,
                         summary_.high, summary_.noise}) {
    out.f64(v);
  }
  out.u64(quarantined_);
  out.u64(quiet_);
  out.u32(static_cast<std::uint32_t>(quarantine_.size()));
  for (const double v : quarantine_) {
    out.f64(v);
  }
  out.u64(accepted_);
  out.u64(next_training_);
  out.u64(trainings_);
  out.u32(static_cast<std::uint32_t>(values_.size()));
  for (std::size_t i = 0; i < values_.size(); ++i) {
    out.f64(values_[i]);
  }
  if (forest_) {
    out.text(forest_->serialize());
  }
  return std::move(out).finish();
}

Result<std::unique_ptr<Detector>> ForestDetector::restore(const ForestDetectorParams& params, std::string_view bytes) {
  ByteReader in(bytes);
  if (!in.ok()) {
    return corrupt("the checksum does not hold");
  }
  auto detector = std::make_unique<ForestDetector>(params);
  if (in.u32() != kMagic || in.u64() != fingerprint(detector->params_)) {
    return corrupt("of another version or other parameters");
  }
  detector->last_time_ = from_unix_us(static_cast<std::int64_t>(in.u64()));
  Summary& summary = detector->summary_;
  bool finite = true;
  for (double* v : {&detector->previous_, &detector->before_previous_, &detector->pressure_, &summary.history.center,
                    &summary.history.spread, &summary.low, &summary.high, &summary.noise}) {
    *v = in.f64();
    finite = finite && std::isfinite(*v);
  }
  detector->quarantined_ = in.u64();
  detector->quiet_ = in.u64();
  const std::size_t quarantine = in.u32();
  if (!in.ok() || quarantine > 16) {
    return corrupt("sizes contradict each other");
  }
  for (std::size_t i = 0; i < quarantine; ++i) {
    detector->quarantine_.push_back(in.f64());
    finite = finite && std::isfinite(detector->quarantine_.back());
  }
  detector->accepted_ = in.u64();
  detector->next_training_ = in.u64();
  detector->trainings_ = in.u64();
  const std::size_t count = in.u32();
  if (!in.ok() || count > detector->values_.capacity() || in.remaining() < count * 8) {
    return corrupt("sizes contradict each other");
  }
  for (std::size_t i = 0; i < count; ++i) {
    detector->values_.push(in.f64());
    finite = finite && std::isfinite(detector->values_[i]);
  }
  if (!finite || !is_sane(summary.history) || summary.noise < 0) {
    return corrupt("a value is not finite");
  }
  if (in.remaining() > 0) {
    SENSUS_TRY(detector->forest_, IsolationForest::deserialize(in.text(in.remaining())));
    if (detector->forest_->columns() != kFeatureCount || count < detector->params_.warmup || summary.history.spread == 0) {
      return corrupt("the forest does not fit the features");
    }
  }
  return std::unique_ptr<Detector>(std::move(detector));
}

}  // namespace sensus::ml
