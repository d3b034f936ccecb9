#include "series_detector_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr double kOnsetEvidence = 10;   // A point with this much begins a run of odd ones ...
constexpr double kOnsetPause = 3600.0;  // ... that this many quiet seconds end.

AnomalyKind kind_of(std::size_t feature) {
  switch (feature) {
    case kMean:
    case kShift: return AnomalyKind::level;
    case kDrift: return AnomalyKind::level;
    case kDeviation:
    case kSpan: return AnomalyKind::variance;
    case kWeekly: return AnomalyKind::seasonal;
    case kRepeats: return AnomalyKind::flat_line;
    default: return AnomalyKind::point;
  }
}

}  // namespace

void SeriesDetector::track_onset(const Moment& moment) {
  if (moment.base < kOnsetEvidence) {
    return;
  }
  if (moment.seconds - odd_seconds_ > kOnsetPause + 2 * clock_.step()) {
    odd_since_ = moment.time;
  }
  odd_seconds_ = moment.seconds;
}

Verdict SeriesDetector::judge(const Moment& moment) const {
  Verdict verdict;
  verdict.expected = moment.expected + first_value_;
  verdict.band_low = verdict.expected - moment.half_band;
  verdict.band_high = verdict.expected + moment.half_band;
  verdict.evidence = moment.evidence;
  verdict.notable_evidence = tuning_.notable;
  verdict.alerting_evidence = tuning_.alerting;
  if (moment.base <= 0 || moment.evidence <= highest_recent() + tuning_.record_margin) {
    return verdict;
  }
  verdict.score =
      1 / (1 + std::exp(-(moment.evidence - verdict.notable_evidence) / tuning_.notable_slope));
  const bool may_pass =
      points_ >= gates_.warmup && lets_pass(gates_, moment.value, verdict.expected);
  if (moment.evidence < verdict.notable_evidence || !may_pass) {
    verdict.score = std::min(verdict.score, std::nextafter(verdict.threshold, 0.0));
    return verdict;
  }
  verdict.score = std::max(verdict.score, verdict.threshold);
  verdict.is_anomaly = true;
  verdict.tier = moment.evidence >= verdict.alerting_evidence ? Tier::alerting : Tier::notable;
  verdict.since = std::min(odd_since_, moment.time);
  explain(moment, verdict);
  return verdict;
}

/// Inside a view of several features, the one that leaves the reservoir's values farthest: outside
/// the range seen, else the rarest.
std::size_t SeriesDetector::oddest_feature(const View& view, const Moment& moment) const {
  std::size_t oddest = view.first;
  double least = 2;
  for (std::size_t i = view.first; i < view.first + view.count; ++i) {
    std::size_t below = 0;
    std::size_t above = 0;
    for (const CodeRow& row : reservoir_.rows()) {
      below += row[i] < moment.row[i] ? 1 : 0;
      above += row[i] > moment.row[i] ? 1 : 0;
    }
    const auto rows = static_cast<double>(reservoir_.rows().size());
    const double rarity = moment.beyond[i] > 0 ? -moment.beyond[i]
                                               : static_cast<double>(std::min(below, above)) / rows;
    if (rarity < least) {
      least = rarity;
      oddest = i;
    }
  }
  return oddest;
}

void SeriesDetector::explain(const Moment& moment, Verdict& verdict) const {
  const double seen = tuning_.count_weight * std::log10(static_cast<double>(scored_) + 1);
  std::size_t strongest = kResidual;
  double most = -1e9;
  for (std::size_t v = 0; v < kViews; ++v) {
    const View& view = kViewList[v];
    const std::size_t feature = view.count == 1 ? view.first : oddest_feature(view, moment);
    const double share =
        seen - std::log10(moment.above[v] + 0.5) + tuning_.novelty_weight * moment.scores[v];
    verdict.contributions.push_back(
        {view.name, kSeriesFeatureNames[feature], moment.features[feature], share});
    if (share > most) {
      most = share;
      strongest = feature;
    }
  }
  const double range =
      kViews * tuning_.range_weight * std::min(1.0, moment.value_beyond / tuning_.range_full);
  verdict.kind = range > 0 && range >= most ? AnomalyKind::range : kind_of(strongest);
  verdict.contributions.push_back({"range", "value", moment.value, range});
  verdict.contributions.push_back(
      {"sustained", "evidence", sustained_, tuning_.sustained_weight * sustained_});
  std::ranges::stable_sort(verdict.contributions, std::ranges::greater{}, &Contribution::evidence);
  verdict.features.emplace_back("value", moment.value);
  for (std::size_t i = 0; i < kFeatures; ++i) {
    // The short mean is learned relative to the first value; people read it as it is.
    verdict.features.emplace_back(kSeriesFeatureNames[i],
                                  moment.features[i] + (i == kMean ? first_value_ : 0));
  }
}

}  // namespace sensus::ml
