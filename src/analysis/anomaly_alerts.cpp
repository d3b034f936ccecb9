#include "sensus/analysis/anomaly_alerts.hpp"

#include "alert_ledger_internal.hpp"

#include "sensus/config/section.hpp"

#include <algorithm>
#include <set>

namespace sensus::analysis {
namespace {

constexpr std::chrono::seconds kAcceptLimit{10};
constexpr std::chrono::seconds kLoadLimit{10};
constexpr std::size_t kPage = 200;
constexpr std::size_t kLoadedMax = 10 * AnomalyAlerts::kFiringMax;
/// How far back alerts that have ended are remembered, so that a step that comes twice does not begin them again.
constexpr std::chrono::hours kEndedFor{2};

telemetry::Counter alerts(telemetry::Metrics& metrics, std::string_view outcome) {
  return metrics.counter("sensus_analysis_anomaly_alerts_total",
                         "Alerts of anomalies by what became of them: raised, resolved, over_limit and own (none was raised), lost.",
                         {{"outcome", outcome}});
}

struct AlertMetrics {
  explicit AlertMetrics(telemetry::Metrics& m)
      : raised(alerts(m, "raised")),
        resolved(alerts(m, "resolved")),
        over_limit(alerts(m, "over_limit")),
        own(alerts(m, "own")),
        lost(alerts(m, "lost")),
        failures(m.counter("sensus_analysis_anomaly_alert_failures_total", "Failed attempts to raise or end alerts of anomalies; tried again.")),
        firing(m.gauge("sensus_analysis_anomaly_alerts_firing", "Alerts of anomalies that fire, on the replica that analyses.")) {}
  telemetry::Counter raised;
  telemetry::Counter resolved;
  telemetry::Counter over_limit;
  telemetry::Counter own;
  telemetry::Counter lost;
  telemetry::Counter failures;
  telemetry::Gauge firing;
};

/// Series that may raise an alert now.
std::vector<SeriesId> alerting_series(const std::vector<JudgedStep>& steps) {
  std::set<SeriesId> ids;
  for (const JudgedStep& step : steps) {
    if (step.anomaly && step.anomaly->tier == "alerting") {
      ids.insert(step.series);  // One whose alert fires may end it and raise the next in these very steps.
    }
  }
  return {ids.begin(), ids.end()};
}

}  // namespace

void describe(config::Section& section, AnomalyAlertOptions& options) {
  section.boolean("alert_on_anomaly", options.alert_on_anomaly,
                  "Anomalies of the alerting tier become alerts named SensusAnomaly, one a series while it is anomalous, with a report and all "
                  "that other alerts get. Switched off, those that fire are resolved.");
  section.integer("alert_resolve_steps", options.alert_resolve_steps, 1, 1000,
                  "Steps in a row without an anomaly after which the alert of a series is resolved. A series that sends nothing any more "
                  "is given up after an hour.");
}

struct AnomalyAlerts::Impl {
  using Self = std::shared_ptr<Impl>;
  Impl(Deps d, AnomalyAlertOptions o) : deps(std::move(d)), options(o), metrics(deps.metrics), ledger(o.alert_resolve_steps) {}

  static runtime::Async<> tell(Self self, Deadline deadline, TenantId tenant, std::vector<JudgedStep> steps);
  static runtime::Async<> sweep(Self self, Deadline deadline);
  static runtime::Async<> load(Self self, Deadline deadline);
  static runtime::Async<> load_some(Self self, Deadline deadline, storage::AlertFilter filter);
  static runtime::Async<AlertLedger::Names> look_up(Self self, Deadline deadline, TenantId tenant, std::vector<SeriesId> ids);
  static runtime::Async<> send(Self self, Deadline deadline, TenantId tenant, AlertLedger::Change change);
  Deps deps;
  AnomalyAlertOptions options;
  AlertMetrics metrics;
  AlertLedger ledger;
  bool loaded = false;
};

runtime::Async<> AnomalyAlerts::Impl::load_some(Self self, Deadline deadline, storage::AlertFilter filter) {
  filter.alert_name = kAnomalyAlertName;
  filter.limit = kPage;
  for (std::size_t read = 0; read < kLoadedMax;) {
    storage::AlertFilter page_filter = filter;
    const Result<storage::Page<model::Episode>> page = co_await self->deps.alerts.list(deadline, kDefaultTenant, std::move(page_filter));
    if (!page) {
      co_return page.error();
    }
    for (const model::Episode& episode : page->items) {
      self->ledger.restore(kDefaultTenant, episode, self->deps.clock.now());
    }
    read += page->items.size();
    if (!page->next) {
      break;
    }
    filter.after = page->next;
  }
  co_return Result<>{};
}

/// What fires, and what has ended not long ago.
runtime::Async<> AnomalyAlerts::Impl::load(Self self, Deadline deadline) {
  if (self->loaded) {
    co_return Result<>{};
  }
  const Deadline limit = min(deadline, Deadline::after(kLoadLimit));
  storage::AlertFilter recent;
  recent.from = self->deps.clock.now() - kEndedFor;
  Result<> ended = co_await load_some(self, limit, std::move(recent));
  if (!ended) {
    co_return ended;
  }
  storage::AlertFilter going_on;
  going_on.status = model::AlertStatus::firing;
  Result<> firing = co_await load_some(self, limit, std::move(going_on));
  self->loaded = firing.has_value();
  co_return firing;
}

runtime::Async<AlertLedger::Names> AnomalyAlerts::Impl::look_up(Self self, Deadline deadline, TenantId tenant, std::vector<SeriesId> ids) {
  AlertLedger::Names names;
  if (ids.empty()) {
    co_return names;
  }
  const Deadline limit = min(deadline, Deadline::after(kLoadLimit));
  Result<std::vector<storage::SeriesInfo>> found = co_await self->deps.samples.series_by_id(limit, tenant, std::move(ids));
  if (!found) {
    co_return std::move(found).error();
  }
  for (storage::SeriesInfo& series : *found) {
    names[series.id] = {std::move(series.metric_name), std::move(series.labels)};
  }
  co_return names;
}

runtime::Async<> AnomalyAlerts::Impl::send(Self self, Deadline deadline, TenantId tenant, AlertLedger::Change change) {
  if (!change.arrivals.empty()) {
    model::AlertBatch batch;
    batch.arrivals = change.arrivals;
    batch.receiver = "sensus";
    const Deadline limit = min(deadline, Deadline::after(kAcceptLimit));
    const Result<std::vector<storage::AlertOutcome>> accepted = co_await self->deps.accept(limit, tenant, std::move(batch));
    if (!accepted && traits_of(accepted.error().code).retryable) {
      self->metrics.failures.inc();
      self->deps.log.throttled(telemetry::LogLevel::warning, "anomaly_alerts",
                               "alerts of anomalies were not stored and will be tried again; see the state of PostgreSQL",
                               {{"error", to_string(accepted.error().code)}, {"detail", accepted.error().message}});
      co_return accepted.error();
    }
    if (!accepted) {
      self->metrics.lost.inc(static_cast<double>(change.arrivals.size()));
      self->deps.log.throttled(telemetry::LogLevel::error, "anomaly_alerts_lost",
                               "alerts of anomalies were refused and are lost, the anomalies are kept; this is a defect, please report it",
                               {{"alerts", change.arrivals.size()}, {"detail", accepted.error().message}});
    }
  }
  if (change.over_limit > 0) {
    self->deps.log.throttled(telemetry::LogLevel::warning, "anomaly_alerts_limit",
                             "more series are anomalous than alerts of anomalies may fire at once; look at /api/v1/anomalies",
                             {{"firing_max", kFiringMax}, {"not_raised", change.over_limit}});
  }
  self->metrics.raised.inc(static_cast<double>(change.raised));
  self->metrics.resolved.inc(static_cast<double>(change.resolved));
  self->metrics.over_limit.inc(static_cast<double>(change.over_limit));
  self->metrics.own.inc(static_cast<double>(change.own));
  self->ledger.apply(std::move(change));
  self->metrics.firing.set(static_cast<double>(self->ledger.firing()));
  co_return Result<>{};
}

runtime::Async<> AnomalyAlerts::Impl::tell(Self self, Deadline deadline, TenantId tenant, std::vector<JudgedStep> steps) {
  if (!self->options.alert_on_anomaly || steps.empty()) {
    co_return Result<>{};
  }
  Result<> known = co_await load(self, deadline);
  if (!known) {
    co_return known;
  }
  std::vector<SeriesId> ids = alerting_series(steps);
  const Result<AlertLedger::Names> names = co_await look_up(self, deadline, tenant, std::move(ids));
  if (!names) {
    co_return names.error();
  }
  AlertLedger::Change change = self->ledger.observe(tenant, std::move(steps), *names, self->deps.clock.now());
  Result<> sent = co_await send(self, deadline, tenant, std::move(change));
  co_return sent;
}

runtime::Async<> AnomalyAlerts::Impl::sweep(Self self, Deadline deadline) {
  if (self->deps.holds && !self->deps.holds()) {
    co_return Result<>{};
  }
  Result<> known = co_await load(self, deadline);
  if (!known) {
    co_return known;
  }
  const Timestamp now = self->deps.clock.now();
  self->ledger.prune(now);
  AlertLedger::Change change = self->ledger.sweep(now, !self->options.alert_on_anomaly);
  Result<> sent = co_await send(self, deadline, kDefaultTenant, std::move(change));
  co_return sent;
}

AnomalyAlerts::AnomalyAlerts(Deps deps, AnomalyAlertOptions options) : impl_(std::make_shared<Impl>(std::move(deps), options)) {}
AnomalyAlerts::~AnomalyAlerts() = default;

bool AnomalyAlerts::enabled() const { return impl_->options.alert_on_anomaly; }
bool AnomalyAlerts::is_firing(TenantId tenant, SeriesId series) const { return impl_->ledger.is_firing({tenant, series}); }
runtime::Async<> AnomalyAlerts::tell(Deadline deadline, TenantId tenant, std::vector<JudgedStep> steps) {
  return Impl::tell(impl_, deadline, tenant, std::move(steps));
}
runtime::Async<> AnomalyAlerts::sweep(Deadline deadline) { return Impl::sweep(impl_, deadline); }
void AnomalyAlerts::forget() {
  impl_->ledger.clear();
  impl_->loaded = false;
  impl_->metrics.firing.set(0);
}

}  // namespace sensus::analysis
