#include "model_jobs_internal.hpp"

#include "sensus/config/section.hpp"

#include <boost/asio/this_coro.hpp>

namespace sensus::analysis {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kLookInterval{5};
constexpr std::chrono::seconds kStoreLimit{10};
constexpr std::chrono::seconds kLease{60};
constexpr std::chrono::seconds kKeepInterval{15};
/// A due time this long ago was missed, not just seen late.
constexpr std::chrono::minutes kMissed{2};

JobMetrics::OfKind of_kind(telemetry::Metrics& metrics, model::JobKind kind) {
  const std::string_view name = model::to_string(kind);
  const auto jobs = [&metrics, name](std::string_view outcome) {
    return metrics.counter("sensus_analysis_jobs_total", "Jobs on models by kind and outcome.", {{"kind", name}, {"outcome", outcome}});
  };
  return {jobs("done"), jobs("failed"),
          metrics.gauge("sensus_analysis_job_last_success_timestamp_seconds", "When a job of this kind was last done here.",
                        {{"kind", name}}),
          metrics.gauge("sensus_analysis_job_last_duration_seconds", "How long the last job of this kind took here.", {{"kind", name}})};
}

}  // namespace

void describe(config::Section& section, ModelOptions& options) {
  section.string("time_zone", options.time_zone, "Zone of the times of day below, as in /usr/share/zoneinfo: UTC, Europe/Berlin.");
  section.string("retrain_at", options.retrain_at,
                 "Time of day, 00:00 to 23:59, when all detectors rebuild their forests and a new model version is recorded. A time that a "
                 "change of the clocks leaves out counts as the moment of the change.");
  section.duration("evaluate_interval", options.evaluate_interval, 1min, 24h,
                   "The active model is measured on stored samples this often, counted from midnight.");
  section.integer("measured_series", options.measured_series, 1, 10'000, "How many series the figures of a version are measured on.");
  section.duration("measured_window", options.measured_window, 1h, std::chrono::hours{24 * 30},
                   "How much of their past. Training and evaluation cost series times this.");
  section.integer("versions_kept", options.versions_kept, 2, 1000, "Versions that can be activated again; older ones are deleted.");
}

JobMetrics::JobMetrics(telemetry::Metrics& m)
    : kinds{of_kind(m, model::JobKind::retrain), of_kind(m, model::JobKind::evaluate), of_kind(m, model::JobKind::train)},
      caught_up(m.counter("sensus_analysis_jobs_caught_up_total", "Scheduled jobs that were made late because nobody ran when they were due.")),
      store_failures(m.counter("sensus_analysis_job_store_failures_total", "Failed attempts to make, claim or end jobs; tried again.")) {}

ModelJobs::Impl::Impl(Deps d, ModelOptions o, Timetable retraining_at, Timetable evaluation_at)
    : deps(std::move(d)), options(std::move(o)), metrics(deps.metrics), retraining(retraining_at), evaluation(evaluation_at) {}

void ModelJobs::Impl::tell_failure(const Error& error) {
  metrics.store_failures.inc();
  deps.log.throttled(telemetry::LogLevel::warning, "model_jobs", "jobs on models could not be looked at; see the state of PostgreSQL",
                     {{"error", to_string(error.code)}, {"detail", error.message}});
}

/// One job for the latest due time, however many were missed. Nothing is made up for the time before the first start.
runtime::Async<> ModelJobs::Impl::make_due(model::JobKind kind, const Timetable& table) {
  const Timestamp now = deps.clock.now();
  const Timestamp due = table.last_due(now);
  const Deadline deadline = Deadline::after(kStoreLimit);
  if (!made_until.contains(kind)) {
    const Result<std::optional<Timestamp>> last = co_await deps.jobs.last_due(deadline, kDefaultTenant, kind);
    if (!last) {
      co_return last.error();
    }
    made_until[kind] = last->value_or(due);
  }
  if (due <= made_until[kind]) {
    co_return Result<>{};
  }
  storage::NewJob job{.kind = kind, .parameters_json = "{}", .due_at = due};
  const Result<model::Job> made = co_await deps.jobs.create(deadline, kDefaultTenant, std::move(job));
  if (!made && made.error().code != Errc::already_exists) {
    co_return made.error();
  }
  made_until[kind] = due;
  if (made && now - due > kMissed) {
    metrics.caught_up.inc();
    deps.log.info("a scheduled job was missed and is made up for", {{"kind", model::to_string(kind)}, {"due", render_rfc3339(due)}});
  }
  co_return Result<>{};
}

runtime::Async<> ModelJobs::Impl::look_at_schedule() {
  Result<> retrain = co_await make_due(model::JobKind::retrain, retraining);
  if (!retrain) {
    co_return std::move(retrain).error();
  }
  Result<> evaluate = co_await make_due(model::JobKind::evaluate, evaluation);
  co_return evaluate;
}

runtime::Async<> ModelJobs::Impl::keep(Running& running, double progress) {
  if (stopped) {
    co_return make_error(Errc::cancelled, "the daemon stops");
  }
  const auto now = deps.clock.steady_now();
  if (now - running.kept_at < kKeepInterval) {
    co_return Result<>{};
  }
  running.kept_at = now;
  const Deadline deadline = Deadline::after(kStoreLimit);
  const Result<bool> ours = co_await deps.jobs.keep(deadline, kDefaultTenant, running.job.id, deps.owner, progress, kLease);
  if (ours && !*ours) {
    co_return make_error(Errc::cancelled, "the job was taken over by another replica");
  }
  co_return Result<>{};  // A failed renewal may work the next time, before the lease ends.
}

/// False when there was nothing to do.
runtime::Async<bool> ModelJobs::Impl::run_next() {
  if (deps.may_run && !deps.may_run()) {
    co_return false;
  }
  const Deadline deadline = Deadline::after(kStoreLimit);
  Result<std::optional<model::Job>> claimed = co_await deps.jobs.claim(deadline, kDefaultTenant, deps.owner, kLease);
  if (!claimed) {
    co_return std::move(claimed).error();
  }
  if (!*claimed) {
    co_return false;
  }
  Running running{std::move(**claimed), deps.clock.steady_now()};
  const model::JobKind kind = running.job.kind;
  const auto began = deps.clock.steady_now();
  Result<std::string> result = co_await work(running);
  if (!result && result.error().code == Errc::cancelled) {
    co_return false;  // Left to whoever claims it next.
  }
  JobMetrics::OfKind& counts = metrics.of(kind);
  counts.last_duration.set(std::chrono::duration<double>(deps.clock.steady_now() - began).count());
  if (result) {
    counts.done.inc();
    counts.last_success.set(static_cast<double>(to_unix_us(deps.clock.now())) / 1e6);
    deps.log.info("a job on models is done", {{"job", running.job.id}, {"kind", model::to_string(kind)}});
  } else {
    counts.failed.inc();
    deps.log.error("a job on models failed; look at /api/v1/jobs, mend the cause and POST /api/v1/models/train?kind= again",
                   {{"job", running.job.id}, {"kind", model::to_string(kind)}, {"detail", result.error().message}});
  }
  const Deadline end = Deadline::after(kStoreLimit);
  Result<> finished = co_await deps.jobs.finish(end, kDefaultTenant, running.job.id, deps.owner, std::move(result));
  if (!finished) {
    co_return std::move(finished).error();
  }
  co_return true;
}

runtime::Task ModelJobs::Impl::run(std::shared_ptr<Impl> self) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  self->woken.emplace(executor);
  while (!self->stopped) {
    const Result<> scheduled = co_await self->look_at_schedule();
    if (!scheduled) {
      self->tell_failure(scheduled.error());
    }
    const Result<bool> ran = co_await self->run_next();
    if (!ran) {
      self->tell_failure(ran.error());
    }
    if (self->stopped) {
      co_return;
    }
    if (!ran || !*ran) {
      const Deadline pause = Deadline::after(kLookInterval);
      static_cast<void>(co_await self->woken->wait(pause));
    }
  }
}

ModelJobs::ModelJobs(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ModelJobs::~ModelJobs() { stop(); }

Result<std::unique_ptr<ModelJobs>> ModelJobs::make(Deps deps, ModelOptions options) {
  const auto at_key = [](Error error, std::string key) {
    error.message = "models." + key + ": " + error.message;
    error.field = "models." + key;
    return error;
  };
  const Result<std::chrono::minutes> retrain_at = parse_time_of_day(options.retrain_at);
  if (!retrain_at) {
    return at_key(retrain_at.error(), "retrain_at");
  }
  const Result<Timetable> retraining = Timetable::make(options.time_zone, *retrain_at, 24h);
  if (!retraining) {
    return at_key(retraining.error(), "time_zone");
  }
  const auto interval = std::chrono::ceil<std::chrono::minutes>(options.evaluate_interval);
  const Result<Timetable> evaluation = Timetable::make(options.time_zone, 0min, interval);
  if (!evaluation) {
    return at_key(evaluation.error(), "evaluate_interval");
  }
  auto impl = std::make_shared<Impl>(std::move(deps), std::move(options), *retraining, *evaluation);
  return std::unique_ptr<ModelJobs>(new ModelJobs(std::move(impl)));
}

runtime::Task ModelJobs::run() { return Impl::run(impl_); }

void ModelJobs::wake() {
  if (impl_->woken) {
    impl_->woken->notify();
  }
}

void ModelJobs::stop() {
  impl_->stopped = true;
  wake();
}

}  // namespace sensus::analysis
