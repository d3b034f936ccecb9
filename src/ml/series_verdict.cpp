#include "series_detector_internal.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::ml {
namespace {

constexpr double kOnsetEvidence = 10;   // A point with this much begins a run of odd ones ...
constexpr double kOnsetPause = 3600.0;  // ... that this many quiet seconds end.

constexpr double kSecondsPerDay = 86400;
constexpr double kSecondsPerWeek = 7 * kSecondsPerDay;
constexpr double kBlocksMin = 8;
constexpr double kGapSecondsMin = 300;
constexpr std::uint64_t kFlatRepeatsMin = 6;
constexpr double kFlatUnits = 6;  // Half an hour of five-minute points is just notable.
constexpr double kStillnessMax = 25;
constexpr double kFeedbackStep = 1;

double score_of(double evidence, double notable, double slope) {
  return 1 / (1 + std::exp(-(evidence - notable) / slope));
}

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
  verdict.notable_evidence = notable_evidence_;
  verdict.alerting_evidence = alerting_evidence_;
  if (moment.base <= 0 || moment.evidence <= highest_recent() + tuning_.record_margin) {
    return verdict;
  }
  verdict.score = score_of(moment.evidence, verdict.notable_evidence, tuning_.notable_slope);
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

/// A series' own noise moves its thresholds, the more the longer it is known; feedback moves both.
void SeriesDetector::refresh_thresholds() {
  const double blocks = maxima_.blocks();
  const double per_week =
      kSecondsPerWeek / (BlockMaxima::kBlockUnits * std::max(block_step_, StepClock::kUnitSeconds));
  const double trust = blocks / (blocks + tuning_.prior_blocks);
  const auto level = [&](double prior, double rate, double low, double high) {
    if (blocks < kBlocksMin) {
      return prior;
    }
    const double own = maxima_.level(std::clamp(rate / per_week, 1e-4, 0.5));
    return prior + trust * (std::clamp(own, low, high) - prior);
  };
  notable_evidence_ =
      level(tuning_.notable, tuning_.notable_rate, tuning_.notable_min, tuning_.notable_max) +
      feedback_;
  const double prior = std::clamp(
      tuning_.alerting - tuning_.alerting_decade *
                             std::log10(params_.false_alerts_per_week / tuning_.alerting_rate),
      tuning_.notable, tuning_.alerting_max);
  const double alerting =
      level(prior, params_.false_alerts_per_week, tuning_.alerting_min, tuning_.alerting_max);
  alerting_evidence_ = std::max(alerting + feedback_, notable_evidence_);
}

double SeriesDetector::gap_evidence(double distance) const {
  if (points_ < params_.warmup || distance < kGapSecondsMin) {
    return 0;
  }
  return std::min(gaps_.evidence(distance / clock_.step(), tuning_.notable), kStillnessMax);
}

double SeriesDetector::flat_evidence(double unit) const {
  if (repeats_ < kFlatRepeatsMin || age_ * StepClock::kUnitSeconds < kSecondsPerDay) {
    return 0;
  }
  const double duration = static_cast<double>(repeats_) * unit / kFlatUnits;
  return std::min({flat_.evidence(repeats_), tuning_.notable * duration, kStillnessMax});
}

/// Flat lines and gaps have no record filter: each is told once, and once more when it becomes
/// alerting.
Verdict SeriesDetector::judge_stillness(const Moment& moment, Verdict verdict) {
  if (repeats_ == 0) {
    flat_told_ = Tier::none;
  }
  gap_told_ = Tier::none;
  const bool is_gap = moment.gap >= verdict.notable_evidence;
  const double evidence = is_gap ? moment.gap : moment.flat;
  if (evidence < verdict.notable_evidence || gates_.is_muted || points_ < gates_.warmup) {
    return verdict;
  }
  const Tier tier = evidence >= verdict.alerting_evidence ? Tier::alerting : Tier::notable;
  if (!is_gap && tier <= flat_told_) {
    return verdict;
  }
  if (!is_gap) {
    flat_told_ = tier;
  }
  if (verdict.is_anomaly && verdict.evidence >= evidence) {
    return verdict;
  }
  verdict.is_anomaly = true;
  verdict.kind = is_gap ? AnomalyKind::gap : AnomalyKind::flat_line;
  verdict.tier = std::max(tier, verdict.tier);
  verdict.evidence = evidence;
  verdict.score = score_of(evidence, verdict.notable_evidence, tuning_.notable_slope);
  const double seconds = is_gap ? 0 : static_cast<double>(repeats_) * clock_.step();
  verdict.since =
      is_gap ? moment.previous_time
             : moment.time - std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6));
  verdict.features = {{"value", moment.value}, {"repeats", static_cast<double>(repeats_)}};
  verdict.contributions = {{is_gap ? "gap" : "flat_line", is_gap ? "steps" : "repeats",
                            is_gap ? moment.gap_steps : static_cast<double>(repeats_), evidence}};
  return verdict;
}

Verdict SeriesDetector::check_silence(Timestamp now) {
  Verdict verdict;
  if (points_ == 0 || now <= last_time_ || gap_told_ == Tier::alerting) {
    return verdict;
  }
  verdict.notable_evidence = notable_evidence_;
  verdict.alerting_evidence = alerting_evidence_;
  const double distance = static_cast<double>(to_unix_us(now) - to_unix_us(last_time_)) * 1e-6;
  verdict.evidence = gap_evidence(distance);
  if (verdict.evidence < verdict.notable_evidence || gates_.is_muted || points_ < gates_.warmup) {
    return verdict;
  }
  const Tier tier =
      verdict.evidence >= verdict.alerting_evidence ? Tier::alerting : Tier::notable;
  if (tier == gap_told_) {
    return verdict;
  }
  gap_told_ = tier;
  verdict.is_anomaly = true;
  verdict.kind = AnomalyKind::gap;
  verdict.tier = tier;
  verdict.score = score_of(verdict.evidence, verdict.notable_evidence, tuning_.notable_slope);
  verdict.expected = verdict.band_low = verdict.band_high = last_value_;
  verdict.since = last_time_;
  verdict.features = {{"gap_seconds", distance}};
  verdict.contributions = {{"gap", "steps", distance / clock_.step(), verdict.evidence}};
  return verdict;
}

void SeriesDetector::learn_feedback(Feedback feedback, double evidence) {
  const double excess = std::isfinite(evidence) ? evidence - (notable_evidence_ - feedback_) : 0;
  switch (feedback) {
    case Feedback::useful: feedback_ -= kFeedbackStep / 2; break;
    case Feedback::noise: feedback_ += kFeedbackStep; break;
    case Feedback::expected: feedback_ = std::max(feedback_, excess + kFeedbackStep / 2); break;
  }
  feedback_ = std::clamp(feedback_, -2 * kFeedbackStep, 8 * kFeedbackStep);
  refresh_thresholds();
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
  const double range = kViews * tuning_.range_weight * moment.range;
  verdict.kind = range > 0 && range >= most ? AnomalyKind::range
                 : moment.is_unseen_season  ? AnomalyKind::unseen_season
                                            : kind_of(strongest);
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
