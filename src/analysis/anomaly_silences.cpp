#include "anomaly_worker_internal.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <limits>

namespace sensus::analysis {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kLookEvery{15};
constexpr std::size_t kLook = 4000;         ///< Detectors asked in one look, on the reactor: some milliseconds.
constexpr std::size_t kConfirmed = 100;     ///< Series of one question to storage.
constexpr std::chrono::seconds kAskLimit{5};
constexpr std::chrono::seconds kStep{60};

}  // namespace

/// Detectors that say that something should have come. A time in which this loop did not run (the process was stopped, another replica had
/// the series) is nobody's silence.
std::vector<Silence> AnomalyWorker::Impl::find_silences(Deadline::TimePoint now) {
  if (now - listened_at > 3 * kLookEvery) {
    listening_since = now;
  }
  listened_at = now;
  const std::vector<SeriesKey> keys = cache.keys();
  const std::size_t begin = listened_to < keys.size() ? listened_to : 0;
  const std::size_t end = std::min(begin + kLook, keys.size());
  listened_to = end;
  std::vector<Silence> found;
  for (std::size_t i = begin; i < end; ++i) {
    SeriesScorer* scorer = cache.get(keys[i]);
    if (scorer == nullptr) {
      continue;
    }
    const auto silent = std::chrono::duration_cast<std::chrono::microseconds>(now - std::max(cache.used_at(keys[i]), listening_since));
    const Timestamp time = scorer->last_time() + silent;
    ml::Verdict verdict = scorer->detector().check_silence(time);
    if (verdict.is_anomaly) {
      found.push_back({keys[i], std::chrono::floor<std::chrono::seconds>(time), std::move(verdict), scorer->kind() != SeriesKind::values});
    }
  }
  return found;
}

/// Keeps those that have not ended and of which no later sample is stored: steps may be late on their way here.
runtime::Async<> AnomalyWorker::Impl::confirm(Deadline deadline, std::vector<Silence>& silences) {
  std::vector<SeriesId> ids;
  Timestamp from = Timestamp::max();
  std::map<SeriesId, Timestamp> known;
  for (const Silence& silence : silences) {
    const SeriesScorer* scorer = cache.peek(silence.key);
    // A step is stored sample by sample: those of the last one are no later ones.
    known[silence.key.series] = scorer == nullptr ? Timestamp::max() : scorer->last_time() + scorer->detector().learned_step();
    from = std::min(from, known[silence.key.series]);
    ids.push_back(silence.key.series);
  }
  std::vector<SeriesId> asked = ids;
  const Result<std::vector<SeriesId>> ended = co_await deps.samples.ended(deadline, kDefaultTenant, std::move(asked));
  if (!ended) {
    co_return ended.error();
  }
  std::set<SeriesId> refuted(ended->begin(), ended->end());
  const Timestamp to = deps.clock.now() + std::chrono::hours{1};
  const auto later = co_await deps.samples.step_means(deadline, kDefaultTenant, std::move(ids), from, to, kStep);
  if (!later) {
    co_return later.error();
  }
  for (const storage::SampleStore::StepMeans& means : *later) {
    const Timestamp due = known.at(means.series);
    const bool goes_on = std::ranges::any_of(means.points, [due](const model::Sample& point) { return point.time >= due; });
    if (goes_on) {
      refuted.insert(means.series);
    }
  }
  metrics.silences_refuted.inc(static_cast<double>(refuted.size()));
  std::erase_if(silences, [&refuted](const Silence& silence) { return refuted.contains(silence.key.series); });
  co_return Result<>{};
}

runtime::Async<> AnomalyWorker::Impl::store_silences(Deadline deadline, const std::vector<Silence>& silences) {
  std::vector<model::Anomaly> anomalies;
  std::vector<JudgedStep> steps;
  for (const Silence& silence : silences) {
    model::Anomaly anomaly =
        make_anomaly(silence.key, silence.time, {std::numeric_limits<double>::quiet_NaN(), silence.verdict, silence.is_rate});
    anomaly.model_version = model_version;
    steps.push_back({silence.key.series, silence.time, anomaly.value, anomaly});
    anomalies.push_back(std::move(anomaly));
  }
  Result<> told;
  if (deps.alerts != nullptr && deps.alerts->enabled()) {
    told = co_await tell_alerts(deadline, kDefaultTenant, std::move(anomalies), std::move(steps));
  } else {
    std::vector<EventId> none;
    told = co_await commit(deadline, kDefaultTenant, std::move(anomalies), std::move(none));
  }
  if (told) {
    metrics.silences.inc(static_cast<double>(silences.size()));
  }
  co_return told;
}

/// What cannot be confirmed or stored now is told again later.
runtime::Async<> AnomalyWorker::Impl::look_for_silences(std::shared_ptr<Impl> self, Deadline deadline) {
  Turn turn(*self);
  Result<> entered = co_await turn.enter_unless_stopped(deadline);
  if (!entered) {
    co_return std::move(entered).error();
  }
  std::vector<Silence> found = self->find_silences(self->deps.clock.steady_now());
  for (std::size_t begin = 0; begin < found.size(); begin += kConfirmed) {
    const auto first = found.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = found.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kConfirmed, found.size()));
    std::vector<Silence> bite(first, last);
    const Deadline limit = Deadline::after(kAskLimit);
    Result<> told = co_await self->confirm(limit, bite);
    if (told && !bite.empty()) {
      told = co_await self->store_silences(limit, bite);
    }
    if (!told) {
      for (std::size_t i = begin; i < found.size(); ++i) {
        if (SeriesScorer* scorer = self->cache.get(found[i].key)) {
          scorer->detector().forget_silence();
        }
      }
      self->listening_since = self->deps.clock.steady_now();  // Who cannot read cannot tell a silence from an outage of its own.
      co_return std::move(told).error();
    }
  }
  co_return Result<>{};
}

runtime::Task AnomalyWorker::Impl::run_silences(std::shared_ptr<Impl> self) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  self->listening.emplace(executor);
  while (!self->stopped) {
    const Deadline pause = Deadline::after(kLookEvery);
    static_cast<void>(co_await self->listening->wait(pause));
    if (self->stopped) {
      co_return;
    }
    if (self->deps.owns && !self->deps.owns()) {
      continue;
    }
    const Deadline limit = Deadline::after(kLookEvery);
    const Result<> looked = co_await look_for_silences(self, limit);
    if (!looked && looked.error().code != Errc::cancelled) {
      self->deps.log.throttled(telemetry::LogLevel::warning, "anomaly_silence",
                               "series that fell silent could not be told of and will be looked at again; see the state of PostgreSQL",
                               {{"error", to_string(looked.error().code)}, {"detail", looked.error().message}});
    }
  }
}

}  // namespace sensus::analysis
