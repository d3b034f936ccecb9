#include "ingestor_internal.hpp"

#include <algorithm>
#include <map>

namespace sensus::ingest {
namespace {

/// Not in a destructor: a coroutine that is dropped at the very end may outlive the metrics.
class Stopwatch {
 public:
  void observe(const telemetry::Histogram& histogram) const {
    histogram.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count());
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// Counts one alert request as in flight while it lives.
class InFlight {
 public:
  InFlight(std::int64_t& count, const telemetry::Gauge& gauge, runtime::Signal& idle) : count_(count), gauge_(gauge), idle_(idle) {
    gauge_.set(static_cast<double>(++count_));
  }
  ~InFlight() {
    gauge_.set(static_cast<double>(--count_));
    if (count_ == 0) {
      idle_.notify();
    }
  }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  std::int64_t& count_;
  const telemetry::Gauge& gauge_;
  runtime::Signal& idle_;
};

}  // namespace

Ingestor::Impl::Impl(Deps deps, Options opts)
    : samples(deps.samples),
      alerts(deps.alerts),
      clock(deps.clock),
      log(deps.log),
      options(opts),
      on_outbox(std::move(deps.on_outbox)),
      instruments(deps.metrics),
      rebuild_backoff({std::chrono::milliseconds{200}, std::chrono::milliseconds{5000}}),
      step_rules(std::move(deps.step_rules)),
      tick(deps.executor),
      alerts_idle(deps.executor) {
  CommitPipeline::Deps pipeline_deps{deps.executor, std::move(deps.writer), clock, log, instruments, on_outbox};
  pipeline = std::make_shared<CommitPipeline>(std::move(pipeline_deps), options);
}

runtime::Async<std::size_t> Ingestor::Impl::accept_samples(std::shared_ptr<Impl> self, Deadline deadline, TenantId tenant,
                                                           model::SampleBatch batch) {
  const Stopwatch stopwatch;
  if (batch.empty()) {
    co_return std::size_t{0};
  }
  Result<std::size_t> stored = co_await self->pipeline->commit(deadline, tenant, std::move(batch));
  stopwatch.observe(self->instruments.metrics.seconds);
  co_return stored;
}

Result<> Ingestor::Impl::admit_alerts() const {
  if (pipeline->stopping()) {
    instruments.alerts.refuse(Instruments::Refusal::stopping);
    return make_error(Errc::cancelled, "the daemon is shutting down: send again");
  }
  if (alerts_in_flight >= options.alerts_in_flight_max) {
    instruments.alerts.refuse(Instruments::Refusal::overloaded);
    log.throttled(telemetry::LogLevel::warning, "alerts_full",
                  "too many alert requests wait for their commit: senders get 503 and retry; if it lasts, the database is too slow",
                  {{"in_flight", alerts_in_flight}});
    return make_error(Errc::overloaded, "too many alert requests wait for their commit: send again");
  }
  return {};
}

void Ingestor::Impl::count_alerts(const std::vector<storage::AlertOutcome>& outcomes) const {
  for (const storage::AlertOutcome& outcome : outcomes) {
    instruments.alert_outcome(outcome.action).inc();
  }
}

runtime::Async<std::vector<storage::AlertOutcome>> Ingestor::Impl::accept_alerts(std::shared_ptr<Impl> self, Deadline deadline,
                                                                                 TenantId tenant, model::AlertBatch batch) {
  const Stopwatch stopwatch;
  if (auto refused = self->admit_alerts(); !refused) {
    co_return std::move(refused).error();
  }
  const InFlight in_flight(self->alerts_in_flight, self->instruments.alerts_in_flight, self->alerts_idle);
  const std::size_t total = batch.arrivals.size() + batch.quarantined.size();
  const std::uint64_t truncated = batch.truncated_alerts;
  const std::string receiver = batch.receiver;
  std::map<std::string, std::size_t> quarantined;
  for (const model::QuarantinedAlert& bad : batch.quarantined) {
    ++quarantined[bad.code];
  }
  const Deadline until = min(deadline, Deadline::after(self->options.commit_timeout));
  auto outcomes = co_await self->alerts.store(until, tenant, std::move(batch), self->clock.now());
  stopwatch.observe(self->instruments.alerts.seconds);
  if (!outcomes) {
    self->instruments.alerts_failed.inc(static_cast<double>(total));
    if (outcomes.error().code == Errc::timeout) {
      self->instruments.alerts.refuse(Instruments::Refusal::timeout);
    }
    self->log.throttled(telemetry::LogLevel::error, "alerts_failed", "alerts could not be committed: senders get 503 and retry; check PostgreSQL",
                        {{"code", to_string(outcomes.error().code)}, {"error", outcomes.error().message}, {"alerts", total}});
    co_return std::move(outcomes).error();
  }
  self->count_alerts(*outcomes);
  for (const auto& [code, count] : quarantined) {
    self->instruments.alerts_quarantined.inc(static_cast<double>(count));
    self->instruments.quarantined(code).inc(static_cast<double>(count));
  }
  if (!quarantined.empty()) {
    self->log.throttled(telemetry::LogLevel::warning, "alerts_quarantined",
                        "alerts were malformed and put into the quarantine: look at the table quarantine and mend the sender",
                        {{"first_code", quarantined.begin()->first}, {"receiver", receiver}});
  }
  if (truncated > 0) {
    self->instruments.truncated_alerts.inc(static_cast<double>(truncated));
    self->log.throttled(telemetry::LogLevel::warning, "alerts_truncated",
                        "Alertmanager left alerts out of its notification: raise max_alerts of the webhook receiver",
                        {{"receiver", receiver}, {"left_out", truncated}});
  }
  self->on_outbox();
  co_return std::move(outcomes);
}

runtime::Async<> Ingestor::Impl::stop(std::shared_ptr<Impl> self, Deadline deadline) {
  Result<> drained = co_await self->pipeline->drain(deadline);
  while (self->alerts_in_flight > 0 && !deadline.expired()) {
    static_cast<void>(co_await self->alerts_idle.wait(deadline));
  }
  self->tick.notify();
  self->pipeline->close();
  if (drained && self->alerts_in_flight > 0) {
    drained = make_error(Errc::timeout, "alerts were still being stored when the time to stop was over; their senders retry");
  }
  co_return drained;
}

Ingestor::Ingestor(Deps deps, Options options) : impl_(std::make_shared<Impl>(std::move(deps), options)) {}

Ingestor::~Ingestor() { impl_->pipeline->close(); }

runtime::Async<std::size_t> Ingestor::accept(Deadline deadline, TenantId tenant, model::SampleBatch batch) {
  return Impl::accept_samples(impl_, deadline, tenant, std::move(batch));
}

runtime::Async<std::vector<storage::AlertOutcome>> Ingestor::accept(Deadline deadline, TenantId tenant, model::AlertBatch batch) {
  return Impl::accept_alerts(impl_, deadline, tenant, std::move(batch));
}

runtime::Task Ingestor::run() { return Impl::run(impl_); }

runtime::Async<> Ingestor::stop(Deadline deadline) { return Impl::stop(impl_, deadline); }

telemetry::HealthReport Ingestor::health() const { return impl_->pipeline->health(); }

}  // namespace sensus::ingest
