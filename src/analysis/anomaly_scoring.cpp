#include "anomaly_scoring_internal.hpp"

#include "verdict_json_internal.hpp"

#include <limits>
#include <limits>

namespace sensus::analysis {
namespace {

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

/// How far back of the first step at hand others may still be under way: read by a replica that died, or published again.
constexpr std::chrono::minutes kUnderWay{15};

/// Verdicts on the past were given when it was present, but for the last of it: whoever had those steps may have died with them, and when
/// they are delivered again they come too late. What was stored before is not stored twice.
void feed_history(SeriesTask& task, bool restored, ScoreJob& job) {
  const PendingStep& first = task.steps.front();
  const Timestamp judged = restored ? task.scorer->last_time() : first.sample.time - kUnderWay;
  for (const model::Sample& sample : task.history) {
    const auto scored = task.scorer->update(sample.time, sample.value);
    if (scored && scored->verdict.is_anomaly && sample.time > judged) {
      model::Anomaly anomaly = make_anomaly(task.key, sample.time, *scored);
      anomaly.model_version = job.model_version;
      job.found.push_back({first.event, std::move(anomaly)});
    }
  }
  task.history.clear();
}

void score(SeriesTask& task, ScoreJob& job) {
  for (PendingStep& step : task.steps) {
    if (step.sample.time <= task.scorer->last_time()) {
      step.sample.value = std::numeric_limits<double>::quiet_NaN();
      ++job.late;
      continue;
    }
    const auto scored = task.scorer->update(step.sample.time, step.sample.value);
    ++job.scored;
    step.sample.value = scored ? scored->value : std::numeric_limits<double>::quiet_NaN();
    if (!scored || !scored->verdict.is_anomaly) {
      continue;
    }
    model::Anomaly anomaly = make_anomaly(task.key, step.sample.time, *scored);
    anomaly.model_version = job.model_version;
    job.found.push_back({step.event, std::move(anomaly)});
  }
}

}  // namespace

ml::DetectorParams detector_params(const AnomalyOptions& options) {
  ml::DetectorParams params;
  params.profile = ml::parse_profile(options.profile).value_or(ml::Profile::standard);
  params.warmup = static_cast<std::size_t>(options.warmup);
  params.false_alerts_per_week = options.false_alerts_per_week;
  return params;
}

std::string key_of(const ml::DetectorParams& params) { return "isolation_forest/" + std::string(ml::name_of(params.profile)); }

ml::DetectorParams with_profile(const ml::DetectorParams& params, ml::Profile profile) {
  ml::DetectorParams other = params;
  other.profile = profile;
  return other;
}

ml::DetectorParams params_of(const ml::DetectorParams& params, SeriesKey key) {
  ml::DetectorParams own = params;
  own.seed = seed_of(key);
  return own;
}

std::uint64_t seed_of(SeriesKey key) {
  const auto tenant = static_cast<std::uint64_t>(static_cast<std::uint32_t>(key.tenant));
  // An odd factor spreads neighbouring ids; the detector's own generator does the rest.
  return ((tenant << 32U) | static_cast<std::uint32_t>(key.series)) * 0x9E3779B97F4A7C15ULL + 1;
}

void run(ScoreJob& job) {
  for (SeriesTask& task : job.tasks) {
    if (job.cancelled) {
      return;
    }
    const bool restored = task.scorer != nullptr;
    if (restored) {
      job.replayed += task.history.size();
    } else {
      task.scorer = std::make_unique<SeriesScorer>(task.kind, ml::make_detector(params_of(with_profile(job.params, task.profile), task.key)));
      task.scorer->detector().set_gates(task.gates);
      job.learned.push_back(task.key);
    }
    feed_history(task, restored, job);
    score(task, job);
  }
}

model::Anomaly make_anomaly(SeriesKey key, Timestamp time, const SeriesScorer::Scored& scored) {
  const ml::Verdict& verdict = scored.verdict;
  model::Anomaly anomaly;
  anomaly.series_id = key.series;
  anomaly.time = time;
  anomaly.value = scored.value;
  anomaly.is_rate = scored.is_rate;
  anomaly.expected = verdict.expected;
  anomaly.score = verdict.score;
  anomaly.threshold = verdict.threshold;
  anomaly.kind = ml::name_of(verdict.kind);
  anomaly.tier = ml::name_of(verdict.tier);
  anomaly.band_low = verdict.band_low;
  anomaly.band_high = verdict.band_high;
  anomaly.evidence = verdict.evidence;
  anomaly.since = verdict.since;
  anomaly.features_json = render_features(verdict, kAll);
  anomaly.contributions_json = render_contributions(verdict, kAll);
  return anomaly;
}

}  // namespace sensus::analysis
