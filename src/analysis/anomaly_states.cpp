#include "anomaly_worker_internal.hpp"

#include "sealed_state_internal.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace sensus::analysis {

namespace asio = boost::asio;

namespace {

/// Sealed on the reactor: less than a millisecond.
constexpr std::size_t kSaveBite = 32;
constexpr std::chrono::seconds kSaveLimit{10};
constexpr std::chrono::seconds kRestoreLimit{15};

/// One job of the cpu pool: bytes in, detectors out. Owns all of it.
struct RestoreJob {
  struct Item {
    std::size_t task = 0;
    StateLabel label;
    std::string bytes;
    SeriesKind kind = SeriesKind::values;
    ml::Gates gates;
    std::unique_ptr<SeriesScorer> scorer;
    std::string_view refused;  ///< A reason, as the metric names it; empty when there is a scorer.
  };
  std::vector<Item> items;
  ml::DetectorParams params;
  std::atomic<bool> cancelled = false;
};

std::string_view name_of(SealFlaw flaw) {
  switch (flaw) {
    case SealFlaw::other_format: return "other_format";
    case SealFlaw::other_label: return "other_label";
    default: return "damaged";
  }
}

void open(RestoreJob::Item& item, const ml::DetectorParams& params) {
  const OpenedState opened = open_state(item.label, item.bytes);
  if (opened.flaw != SealFlaw::none) {
    item.refused = name_of(opened.flaw);
    return;
  }
  auto scorer = SeriesScorer::restore(item.kind, params_of(params, item.label.key), opened.detector);
  if (!scorer || (*scorer)->last_time() != item.label.last_time) {
    item.refused = "other_format";
    return;
  }
  item.scorer = std::move(*scorer);
  item.scorer->detector().set_gates(item.gates);
  item.bytes = {};
}

}  // namespace

/// What is new of a series, sealed. Nothing when it is lent out, was saved before, or has steps whose effect is not committed yet: a
/// state that holds such a step would make its redelivery come too late, and its anomaly be lost.
std::optional<storage::DetectorState> AnomalyWorker::Impl::seal(SeriesKey key, const std::set<SeriesKey>& uncommitted) const {
  const SeriesScorer* scorer = cache.peek(key);
  if (scorer == nullptr || uncommitted.contains(key) || scorer->last_time() <= cache.saved_time(key)) {
    return std::nullopt;
  }
  const StateLabel label{key, key_of(with_profile(params, cache.profile_of(key))), scorer->last_time()};
  return storage::DetectorState{key.series, label.last_time, seal_state(label, scorer->serialize())};
}

std::set<SeriesKey> AnomalyWorker::Impl::uncommitted_series() const {
  std::set<SeriesKey> series;
  for (const PendingEvent& event : pending) {
    for (const PendingEvent::Step& step : event.steps) {
      series.insert({event.tenant, step.series});
    }
  }
  return series;
}

runtime::Async<> AnomalyWorker::Impl::save_states(Deadline deadline, std::vector<SeriesKey> keys) {
  SealedStates sealed;
  const std::set<SeriesKey> uncommitted = uncommitted_series();
  for (const SeriesKey key : keys) {
    if (std::optional<storage::DetectorState> state = seal(key, uncommitted)) {
      sealed[{key.tenant, cache.profile_of(key)}].push_back(std::move(*state));
    }
  }
  Result<> outcome = co_await save_sealed(deadline, std::move(sealed));
  co_return outcome;
}

/// Those that had to go for others, as far as they are not saved. Without that they would be learned from samples: no step is lost.
runtime::Async<> AnomalyWorker::Impl::save_evicted(Deadline deadline) {
  SealedStates sealed;
  const std::set<SeriesKey> uncommitted = uncommitted_series();
  for (const DetectorCache::Evicted& gone : cache.take_evicted()) {
    if (uncommitted.contains(gone.key) || gone.scorer->last_time() <= gone.saved_time) {
      continue;
    }
    const StateLabel label{gone.key, key_of(with_profile(params, gone.profile)), gone.scorer->last_time()};
    sealed[{gone.key.tenant, gone.profile}].push_back({gone.key.series, label.last_time, seal_state(label, gone.scorer->serialize())});
  }
  Result<> outcome = co_await save_sealed(deadline, std::move(sealed));
  co_return outcome;
}

runtime::Async<> AnomalyWorker::Impl::save_sealed(Deadline deadline, SealedStates sealed) {
  Result<> outcome;
  for (auto& [of, states] : sealed) {
    const TenantId tenant = of.first;
    const std::string of_model = key_of(with_profile(params, of.second));
    std::vector<std::pair<SeriesKey, Timestamp>> saved;
    for (const storage::DetectorState& state : states) {
      saved.emplace_back(SeriesKey{tenant, state.series}, state.last_time);
    }
    const Deadline limit = min(deadline, Deadline::after(kSaveLimit));
    const Result<std::size_t> stored = co_await deps.states.save(limit, tenant, of_model, std::move(states));
    if (!stored) {
      metrics.failures_save.inc();
      outcome = stored.error();
      continue;
    }
    for (const auto& [key, time] : saved) {
      cache.mark_saved(key, time);
    }
    metrics.states_saved.inc(static_cast<double>(saved.size()));
  }
  if (!outcome) {
    deps.log.throttled(telemetry::LogLevel::warning, "anomaly_save",
                       "states of detectors were not saved and will be tried again; after a restart more steps are replayed. See the "
                       "state of PostgreSQL",
                       {{"error", to_string(outcome.error().code)}, {"detail", outcome.error().message}});
  }
  co_return outcome;
}

/// Goes round all detectors once an interval, at an even pace.
runtime::Task AnomalyWorker::Impl::run_saving(std::shared_ptr<Impl> self) {
  if (!self->stopping) {
    const runtime::Executor executor = co_await asio::this_coro::executor;
    self->stopping.emplace(executor);
  }
  while (!self->stopped) {
    const std::vector<SeriesKey> keys = self->cache.keys();
    const auto bites = static_cast<std::int64_t>(keys.size() / kSaveBite + 1);
    for (std::size_t begin = 0; begin == 0 || begin < keys.size(); begin += kSaveBite) {
      const Deadline pause = Deadline::after(self->options.state_save_interval / bites);
      static_cast<void>(co_await self->stopping->wait(pause));
      if (self->stopped) {
        co_return;  // The last word is save_all's.
      }
      const auto first = keys.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto last = keys.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kSaveBite, keys.size()));
      std::vector<SeriesKey> bite(first, last);
      const Deadline limit = Deadline::after(kSaveLimit);
      static_cast<void>(co_await self->save_states(limit, std::move(bite)));
    }
  }
}

runtime::Async<> AnomalyWorker::Impl::save_all(std::shared_ptr<Impl> self, Deadline deadline) {
  const std::vector<SeriesKey> keys = self->cache.keys();
  for (std::size_t begin = 0; begin < keys.size(); begin += kSaveBite) {
    if (deadline.expired()) {
      co_return make_error(Errc::timeout, "not all states of detectors were saved; the rest is replayed from samples");
    }
    const auto first = keys.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = keys.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kSaveBite, keys.size()));
    std::vector<SeriesKey> bite(first, last);
    Result<> saved = co_await self->save_states(deadline, std::move(bite));
    if (!saved) {
      co_return std::move(saved).error();
    }
  }
  co_return Result<>{};
}

runtime::Async<> AnomalyWorker::Impl::forget_all(std::shared_ptr<Impl> self, Deadline deadline) {
  Turn turn(*self);
  Result<> entered = co_await turn.enter(deadline);
  if (!entered) {
    co_return std::move(entered).error();
  }
  self->cache.clear(self->params.profile);
  self->pending.clear();
  self->learned_anew.clear();
  self->learned_feedback.clear();
  if (self->deps.alerts != nullptr) {
    self->deps.alerts->forget();
  }
  self->metrics.detectors.set(0);
  self->metrics.pending_steps.set(0);
  co_return Result<>{};
}

/// Gives detectors to the tasks that have a sound saved state. The others are learned from samples.
runtime::Async<> AnomalyWorker::Impl::restore(Deadline deadline, std::vector<SeriesTask>& tasks) {
  for (const ml::Profile profile : {ml::Profile::compact, params.profile}) {
    const bool any = std::ranges::any_of(tasks, [profile](const SeriesTask& task) { return task.profile == profile && !task.scorer; });
    if (any) {
      Result<> restored = co_await restore_profile(deadline, profile, tasks);
      if (!restored) {
        co_return std::move(restored).error();
      }
    }
  }
  co_return Result<>{};
}

runtime::Async<> AnomalyWorker::Impl::restore_profile(Deadline deadline, ml::Profile profile, std::vector<SeriesTask>& tasks) {
  const TenantId tenant = tasks.front().key.tenant;
  std::vector<SeriesId> ids;
  std::map<SeriesId, std::size_t> position;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].profile == profile && !tasks[i].scorer) {
      ids.push_back(tasks[i].key.series);
      position[tasks[i].key.series] = i;
    }
  }
  const ml::DetectorParams of_profile = with_profile(params, profile);
  const std::string of_model = key_of(of_profile);
  const Deadline limit = min(deadline, Deadline::after(kRestoreLimit));
  Result<std::vector<storage::DetectorState>> states = co_await deps.states.load(limit, tenant, of_model, std::move(ids));
  if (!states) {
    metrics.failures_restore.inc();
    if (traits_of(states.error().code).retryable) {
      co_return std::move(states).error();
    }
    deps.log.throttled(telemetry::LogLevel::error, "anomaly_restore",
                       "saved states of detectors cannot be read; the detectors learn from stored samples",
                       {{"error", to_string(states.error().code)}, {"detail", states.error().message}});
    co_return Result<>{};
  }
  const auto job = std::make_shared<RestoreJob>();
  job->params = of_profile;
  for (storage::DetectorState& state : *states) {
    const std::size_t at = position.at(state.series);
    job->items.push_back({.task = at,
                          .label = {{tenant, state.series}, of_model, state.last_time},
                          .bytes = std::move(state.bytes),
                          .kind = tasks[at].kind,
                          .gates = tasks[at].gates,
                          .scorer = nullptr,
                          .refused = {}});
  }
  std::function<Result<bool>(runtime::JobContext&)> work = [job](runtime::JobContext& context) -> Result<bool> {
    context.on_cancel([job] { job->cancelled = true; });
    for (RestoreJob::Item& item : job->items) {
      if (!job->cancelled) {
        open(item, job->params);
      }
    }
    return true;
  };
  Result<bool> ran = co_await deps.cpu.submit<bool>(limit, std::move(work));
  if (!ran) {
    metrics.failures_restore.inc();
    co_return std::move(ran).error();
  }
  for (RestoreJob::Item& item : job->items) {
    if (item.scorer) {
      tasks[item.task].scorer = std::move(item.scorer);
      cache.mark_saved(item.label.key, item.label.last_time);
      metrics.states_restored.inc();
    } else {
      refuse_state(item.label.key, item.refused);
    }
  }
  co_return Result<>{};
}

void AnomalyWorker::Impl::refuse_state(SeriesKey key, std::string_view reason) {
  (reason == "damaged"       ? metrics.states_damaged
   : reason == "other_label" ? metrics.states_other_label
                             : metrics.states_other_format)
      .inc();
  deps.log.throttled(telemetry::LogLevel::warning, "anomaly_state_refused",
                     "a saved state of a detector was refused and is learned anew from stored samples; many of them after anything but an "
                     "upgrade mean damaged storage",
                     {{"series", key.series}, {"reason", reason}});
}

}  // namespace sensus::analysis
