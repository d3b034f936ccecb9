#include "anomaly_worker_internal.hpp"

#include <algorithm>

namespace sensus::analysis {
namespace {

constexpr std::size_t kTaken = 1000;
constexpr std::chrono::seconds kFeedbackLimit{10};

ml::Feedback parse_feedback(const std::string& verdict) {
  if (verdict == "useful") {
    return ml::Feedback::useful;
  }
  return verdict == "expected" ? ml::Feedback::expected : ml::Feedback::noise;
}

}  // namespace

/// Has detectors learn what people said of their anomalies; those that were learned anew learn all of it again. What is said of a series
/// without a detector in memory waits for it. The state is saved before the feedback counts as learned: a crash between the two has it
/// learned twice, never lost.
runtime::Async<> AnomalyWorker::Impl::apply_feedback(Deadline deadline) {
  const Deadline limit = min(deadline, Deadline::after(kFeedbackLimit));
  if (!learned_anew.empty()) {
    std::vector<SeriesId> series(learned_anew.begin(), learned_anew.end());
    Result<> renewed = co_await deps.feedback.renew(limit, kDefaultTenant, std::move(series));
    if (!renewed) {
      co_return std::move(renewed).error();
    }
    learned_anew.clear();
  }
  const Result<std::vector<storage::Feedback>> pending_feedback = co_await deps.feedback.pending(limit, kDefaultTenant, kTaken);
  if (!pending_feedback) {
    co_return pending_feedback.error();
  }
  const std::set<SeriesKey> uncommitted = uncommitted_series();
  std::vector<SeriesKey> moved;
  std::vector<std::int64_t> applied;
  for (const storage::Feedback& feedback : *pending_feedback) {
    const SeriesKey key{kDefaultTenant, feedback.series};
    SeriesScorer* scorer = uncommitted.contains(key) ? nullptr : cache.get(key);
    if (scorer != nullptr) {
      if (learned_feedback.insert(feedback.id).second) {
        scorer->detector().learn_feedback(parse_feedback(feedback.verdict), feedback.evidence);
        cache.mark_unsaved(key);
      }
      moved.push_back(key);
      applied.push_back(feedback.id);
    }
  }
  if (applied.empty()) {
    co_return Result<>{};
  }
  Result<> saved = co_await save_states(limit, std::move(moved));
  if (!saved) {
    co_return std::move(saved).error();
  }
  metrics.feedback.inc(static_cast<double>(applied.size()));
  Result<> marked = co_await deps.feedback.mark_applied(limit, kDefaultTenant, std::move(applied));
  if (marked) {
    learned_feedback.clear();
  }
  co_return marked;
}

}  // namespace sensus::analysis
