#include "anomaly_scoring_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <array>
#include <charconv>

namespace sensus::analysis {
namespace {

void make(SeriesTask& task, const ml::ForestDetectorParams& params) {
  ml::ForestDetectorParams own = params;
  own.seed = seed_of(task.key);
  task.detector = ml::make_forest_detector(own);
}

/// Verdicts on the past were given when it was present, or came too late to matter.
void feed_history(SeriesTask& task) {
  for (const model::Sample& sample : task.history) {
    static_cast<void>(task.detector->update(sample.time, sample.value));
  }
  task.history.clear();
}

void score(SeriesTask& task, ScoreJob& job) {
  for (const PendingStep& step : task.steps) {
    if (step.sample.time <= task.detector->last_time()) {
      ++job.late;
      continue;
    }
    const ml::Verdict verdict = task.detector->update(step.sample.time, step.sample.value);
    ++job.scored;
    if (!verdict.is_anomaly) {
      continue;
    }
    model::Anomaly anomaly;
    anomaly.series_id = task.key.series;
    anomaly.time = step.sample.time;
    anomaly.value = step.sample.value;
    anomaly.expected = verdict.expected;
    anomaly.score = verdict.score;
    anomaly.threshold = verdict.threshold;
    anomaly.model_version = job.model_version;
    anomaly.features_json = render_features(verdict.features);
    job.found.push_back({step.event, std::move(anomaly)});
  }
}

}  // namespace

ml::ForestDetectorParams detector_params(const AnomalyOptions& options) {
  ml::ForestDetectorParams params;
  params.trees = static_cast<std::size_t>(options.trees);
  params.subsample = static_cast<std::size_t>(options.subsample);
  params.warmup = static_cast<std::size_t>(options.warmup);
  params.threshold = options.threshold;
  return params;
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
    if (task.detector) {
      job.replayed += task.history.size();
    } else {
      make(task, job.params);
      ++job.learned;
    }
    feed_history(task);
    score(task, job);
  }
}

std::string render_features(const std::vector<std::pair<std::string, double>>& features) {
  std::string out = "{";
  for (const auto& [name, value] : features) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out.append(out.size() == 1 ? "" : ",").append(codec::quote_json(name)).append(":").append(digits.data(), end);
  }
  return out.append("}");
}

}  // namespace sensus::analysis
