#include "anomaly_worker_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace sensus::analysis {

namespace asio = boost::asio;

namespace {

/// Of one batch; its consumer refreshes the entries meanwhile, so nobody else takes them over.
constexpr std::chrono::seconds kHandleLimit{45};
constexpr std::chrono::seconds kStoreLimit{10};
constexpr std::size_t kPendingStepsMax = 200'000;

/// Passes by itself, whatever the entries hold.
bool is_outage(Errc code) { return code == Errc::unavailable || code == Errc::overloaded || code == Errc::in_doubt; }

using Batches = std::vector<Result<codec::StepBatch>>;

Result<Batches> parse_all(const std::vector<stream::Entry>& entries) {
  Batches batches;
  batches.reserve(entries.size());
  for (const stream::Entry& entry : entries) {
    batches.push_back(codec::parse_step_batch(entry.event.payload));
  }
  return batches;
}

PendingEvent make_pending(EventId id, const codec::StepBatch& batch) {
  PendingEvent event{.id = id, .tenant = batch.tenant, .step = batch.step, .steps = {}, .found = {}};
  event.steps.reserve(batch.points.size());
  for (const codec::StepPoint& point : batch.points) {
    event.steps.push_back({point.series_id, {point.time, point.value}, false});
  }
  return event;
}

bool is_complete(const PendingEvent& event) {
  return std::ranges::all_of(event.steps, &PendingEvent::Step::done);
}

}  // namespace

AnomalyWorker::Impl::Impl(Deps d, AnomalyOptions o)
    : deps(std::move(d)), options(o), metrics(deps.metrics), cache({static_cast<std::size_t>(options.series_max), options.memory_max.bytes, detector_params(options).profile}), params(detector_params(options)) {}

AnomalyWorker::Impl::Turn::~Turn() {
  if (inside_) {
    impl_.busy = false;
    impl_.idle->notify();
  }
}

runtime::Async<> AnomalyWorker::Impl::Turn::enter(Deadline deadline) { return wait(deadline, false); }
runtime::Async<> AnomalyWorker::Impl::Turn::enter_unless_stopped(Deadline deadline) { return wait(deadline, true); }

runtime::Async<> AnomalyWorker::Impl::Turn::wait(Deadline deadline, bool until_stop) {
  if (!impl_.idle) {
    const runtime::Executor executor = co_await asio::this_coro::executor;
    impl_.idle.emplace(executor);
  }
  while (impl_.busy && !(until_stop && impl_.stopped)) {
    const bool notified = co_await impl_.idle->wait(deadline);
    if (!notified && impl_.busy) {
      co_return make_error(Errc::timeout, "the anomaly worker was busy for too long");
    }
  }
  if (until_stop && impl_.stopped) {
    co_return make_error(Errc::cancelled, "the anomaly worker was stopped");
  }
  impl_.busy = true;
  inside_ = true;
  co_return Result<>{};
}

runtime::Async<std::vector<stream::Disposition>> AnomalyWorker::Impl::handle(std::shared_ptr<Impl> self,
                                                                             std::vector<stream::Entry> entries) {
  const Deadline deadline = Deadline::after(kHandleLimit);
  std::vector<EventId> ids;
  for (const stream::Entry& entry : entries) {
    ids.push_back(entry.event.id);
  }
  Turn turn(*self);
  Result<> entered = co_await turn.enter(deadline);
  if (!entered) {
    co_return std::move(entered).error();
  }
  Result<> versioned = co_await self->ensure_version(deadline);
  if (!versioned) {
    co_return std::move(versioned).error();
  }
  Verdicts verdicts;
  Result<> taken = co_await self->take_in(deadline, std::move(entries), verdicts);
  if (!taken) {
    co_return std::move(taken).error();
  }
  // Where scoring fails, events that are complete are stored all the same.
  const Result<> scored = co_await self->score_all(deadline);
  if (!scored) {
    self->deps.log.throttled(telemetry::LogLevel::warning, "anomaly_score",
                             "steps were not scored and will be tried again; see the state of PostgreSQL and of the cpu pool",
                             {{"error", to_string(scored.error().code)}, {"detail", scored.error().message}});
  }
  const Result<> stored = co_await self->store_all(deadline, verdicts);
  self->metrics.pending_steps.set(static_cast<double>(self->pending_steps()));

  const Result<>& trouble = scored ? stored : scored;
  const bool unfinished = std::ranges::any_of(ids, [&](EventId id) { return !verdicts.contains(id) && self->is_pending(id); });
  if (unfinished && !trouble && is_outage(trouble.error().code)) {
    co_return trouble.error();  // The consumer repeats the batch, which uses up no deliveries.
  }
  std::vector<stream::Disposition> dispositions;
  for (const EventId id : ids) {
    const auto verdict = verdicts.find(id);
    if (verdict != verdicts.end()) {
      dispositions.push_back(verdict->second);
    } else {
      dispositions.push_back(self->is_pending(id) ? stream::Disposition::retry : stream::Disposition::ack);
    }
  }
  co_return dispositions;
}

/// Drops what is pending already and what would not fit.
std::vector<stream::Entry> AnomalyWorker::Impl::choose_new(std::vector<stream::Entry> entries, Verdicts& verdicts) const {
  std::vector<stream::Entry> chosen;
  const bool full = pending_steps() >= kPendingStepsMax;
  for (stream::Entry& entry : entries) {
    const EventId id = entry.event.id;
    const bool twice = std::ranges::any_of(chosen, [id](const stream::Entry& other) { return other.event.id == id; });
    if (twice || is_pending(id)) {
      continue;
    }
    if (full) {
      verdicts[id] = stream::Disposition::retry;
      continue;
    }
    chosen.push_back(std::move(entry));
  }
  return chosen;
}

runtime::Async<> AnomalyWorker::Impl::take_in(Deadline deadline, std::vector<stream::Entry> entries, Verdicts& verdicts) {
  const auto chosen = std::make_shared<const std::vector<stream::Entry>>(choose_new(std::move(entries), verdicts));
  if (chosen->empty()) {
    co_return Result<>{};
  }
  // Payloads hold thousands of steps: parsed off the reactor.
  std::function<Result<Batches>(runtime::JobContext&)> parse = [chosen](runtime::JobContext&) { return parse_all(*chosen); };
  Result<Batches> parsed = co_await deps.cpu.submit<Batches>(deadline, std::move(parse));
  if (!parsed) {
    co_return std::move(parsed).error();
  }
  for (std::size_t i = 0; i < chosen->size(); ++i) {
    const EventId id = (*chosen)[i].event.id;
    const Result<codec::StepBatch>& batch = (*parsed)[i];
    if (batch) {
      pending.push_back(make_pending(id, *batch));
      continue;
    }
    metrics.malformed.inc();
    verdicts[id] = stream::Disposition::dead_letter;
    deps.log.throttled(telemetry::LogLevel::error, "anomaly_malformed",
                       "an entry of the metrics topic was not understood and goes to the dead letters; look at its payload there",
                       {{"event_id", id}, {"field", batch.error().field}, {"detail", batch.error().message}});
  }
  co_return Result<>{};
}

runtime::Async<> AnomalyWorker::Impl::store_all(Deadline deadline, Verdicts& verdicts) {
  Result<> outcome;
  std::map<TenantId, std::vector<EventId>> complete;
  for (const PendingEvent& event : pending) {
    if (is_complete(event)) {
      complete[event.tenant].push_back(event.id);
    }
  }
  for (const auto& [tenant, ids] : complete) {
    const Result<> stored = co_await store(deadline, tenant, ids);
    if (!stored && !traits_of(stored.error().code).retryable) {
      co_await store_singly(deadline, tenant, ids, verdicts);
    } else if (!stored) {
      outcome = stored;
    }
  }
  co_return outcome;
}

/// One event that can never be stored must not hold up the others.
runtime::Task AnomalyWorker::Impl::store_singly(Deadline deadline, TenantId tenant, std::vector<EventId> ids, Verdicts& verdicts) {
  for (const EventId id : ids) {
    const std::vector<EventId> one(1, id);
    const Result<> stored = co_await store(deadline, tenant, one);
    if (!stored && !traits_of(stored.error().code).retryable) {
      verdicts[id] = stream::Disposition::dead_letter;
      forget(one);
    }
  }
}

runtime::Async<> AnomalyWorker::Impl::store(Deadline deadline, TenantId tenant, std::vector<EventId> ids) {
  std::vector<model::Anomaly> anomalies;
  for (const PendingEvent& event : pending) {
    if (std::ranges::find(ids, event.id) != ids.end()) {
      anomalies.insert(anomalies.end(), event.found.begin(), event.found.end());
    }
  }
  if (deps.alerts != nullptr && deps.alerts->enabled()) {
    std::vector<JudgedStep> steps = judged_steps(tenant, ids);
    Result<> told = co_await tell_alerts(deadline, tenant, anomalies, std::move(steps));
    if (!told) {
      co_return told;
    }
  }
  Result<> committed = co_await commit(deadline, tenant, std::move(anomalies), ids);
  if (committed) {
    forget(ids);
  }
  co_return committed;
}

/// The events are finished only after the alerts are stored, and the anomalies are stored before: a report looks for them.
runtime::Async<> AnomalyWorker::Impl::tell_alerts(Deadline deadline, TenantId tenant, std::vector<model::Anomaly> anomalies,
                                                  std::vector<JudgedStep> steps) {
  if (std::ranges::any_of(steps, [](const JudgedStep& step) { return step.anomaly.has_value(); })) {
    std::vector<EventId> none;
    Result<> committed = co_await commit(deadline, tenant, std::move(anomalies), std::move(none));
    if (!committed) {
      co_return committed;
    }
  }
  Result<> told = co_await deps.alerts->tell(deadline, tenant, std::move(steps));
  if (!told) {
    metrics.failures_store.inc();
  }
  co_return told;
}

/// What was committed before has no second effect.
runtime::Async<> AnomalyWorker::Impl::commit(Deadline deadline, TenantId tenant, std::vector<model::Anomaly> anomalies,
                                             std::vector<EventId> ids) {
  const Deadline limit = min(deadline, Deadline::after(kStoreLimit));
  const Result<std::size_t> stored = co_await deps.analyses.store_anomalies(limit, tenant, std::move(anomalies), ids);
  if (!stored) {
    metrics.failures_store.inc();
    const bool again = traits_of(stored.error().code).retryable;
    deps.log.throttled(again ? telemetry::LogLevel::warning : telemetry::LogLevel::error, "anomaly_store",
                       again ? "anomalies were not stored and will be tried again; see the state of PostgreSQL"
                             : "anomalies could not be stored; the entries that cause it go to the dead letters",
                       {{"error", to_string(stored.error().code)}, {"detail", stored.error().message}, {"events", ids.size()}});
    co_return stored.error();
  }
  metrics.anomalies.inc(static_cast<double>(*stored));
  if (*stored > 0 && deps.on_outbox) {
    deps.on_outbox();
  }
  co_return Result<>{};
}

/// All that concerns alerts: steps of series whose alert fires or may be raised.
std::vector<JudgedStep> AnomalyWorker::Impl::judged_steps(TenantId tenant, const std::vector<EventId>& ids) const {
  std::set<SeriesId> alerting;
  std::vector<const PendingEvent*> events;
  for (const PendingEvent& event : pending) {
    if (std::ranges::find(ids, event.id) == ids.end()) {
      continue;
    }
    events.push_back(&event);
    for (const model::Anomaly& anomaly : event.found) {
      if (anomaly.tier == "alerting") {
        alerting.insert(anomaly.series_id);
      }
    }
  }
  const auto concerned = [&](SeriesId series) { return alerting.contains(series) || deps.alerts->is_firing(tenant, series); };
  std::vector<JudgedStep> steps;
  for (const PendingEvent* event : events) {
    for (const model::Anomaly& anomaly : event->found) {
      if (concerned(anomaly.series_id)) {
        steps.push_back({anomaly.series_id, anomaly.time, anomaly.value, anomaly});
      }
    }
    for (const PendingEvent::Step& step : event->steps) {
      if (concerned(step.series)) {
        steps.push_back({step.series, step.sample.time, step.sample.value, std::nullopt});
      }
    }
  }
  return steps;
}

void AnomalyWorker::Impl::forget(const std::vector<EventId>& ids) {
  std::erase_if(pending, [&ids](const PendingEvent& event) { return std::ranges::find(ids, event.id) != ids.end(); });
}

bool AnomalyWorker::Impl::is_pending(EventId id) const {
  return std::ranges::any_of(pending, [id](const PendingEvent& event) { return event.id == id; });
}

std::size_t AnomalyWorker::Impl::pending_steps() const {
  std::size_t steps = 0;
  for (const PendingEvent& event : pending) {
    steps += event.steps.size();
  }
  return steps;
}

AnomalyWorker::AnomalyWorker(Deps deps, AnomalyOptions options) : impl_(std::make_shared<Impl>(std::move(deps), options)) {}
AnomalyWorker::~AnomalyWorker() { impl_->stop(); }

runtime::Async<std::vector<stream::Disposition>> AnomalyWorker::handle(std::vector<stream::Entry> entries) {
  return Impl::handle(impl_, std::move(entries));
}
runtime::Task AnomalyWorker::run_schedule() { return Impl::run_schedule(impl_); }
runtime::Async<std::size_t> AnomalyWorker::retrain() { return Impl::retrain_all(impl_); }
runtime::Async<> AnomalyWorker::look_for_silences(Deadline deadline) { return Impl::look_for_silences(impl_, deadline); }
runtime::Task AnomalyWorker::run_silences() { return Impl::run_silences(impl_); }
runtime::Task AnomalyWorker::run_saving() { return Impl::run_saving(impl_); }
runtime::Async<> AnomalyWorker::save_all(Deadline deadline) { return Impl::save_all(impl_, deadline); }
runtime::Async<> AnomalyWorker::forget_all(Deadline deadline) { return Impl::forget_all(impl_, deadline); }
void AnomalyWorker::look_at_version() {
  if (impl_->looking) {
    impl_->looking->notify();
  }
}
void AnomalyWorker::stop() { impl_->stop(); }

}  // namespace sensus::analysis
