#include "application_internal.hpp"

#include "systemd_internal.hpp"

#include "sensus/pg/migrate.hpp"
#include "sensus/runtime/backoff.hpp"

#include <utility>

namespace sensus::app {
namespace {

using runtime::Async;
using runtime::Task;

/// Blocks; for the cpu pool.
Result<int> migrate(const pg::Options& options, const telemetry::Log& log) {
  const auto& migrations = storage::migrations();
  const int head = pg::head_of(migrations);
  if (options.migration_url.empty()) {
    SENSUS_TRY_VOID(pg::check_schema_blocking(options, head));
    return head;
  }
  return pg::migrate_blocking(options, migrations, log);
}

Error not_started() { return make_error(Errc::unavailable, "starting up: the database is not ready yet; try again"); }

}  // namespace

Async<> Application::prepare_database() {
  std::function<Result<int>(runtime::JobContext&)> job = [options = config_.database, log = logs_.log("pg")](runtime::JobContext&) {
    return migrate(options, log);
  };
  const Result<int> version = co_await cpu_pool_->submit<int>(Deadline::after(10min), std::move(job));
  if (!version) {
    co_return version.error();
  }
  co_return co_await make_partitions();
}

/// PostgreSQL may come later than the daemon: until then it answers 503, tries again with back-off, and gives up, so that whoever
/// supervises it notices, after service.startup_timeout.
Task Application::start_up() {
  const Deadline give_up = Deadline::after(config_.service.startup_timeout);
  runtime::Backoff backoff({std::chrono::milliseconds{200}, std::chrono::milliseconds{5000}});
  while (!stop_requested_) {
    const Result<> prepared = co_await prepare_database();
    if (stop_requested_) {
      co_return;  // The workers' groups may be stopped already.
    }
    if (prepared) {
      start_workers();
      co_return;
    }
    startup_error_ = prepared.error().message;
    if (give_up.expired()) {
      log_.error("the database did not become usable within service.startup_timeout; exiting", {{"error", startup_error_}});
      request_stop(1);
      co_return;
    }
    const auto delay = backoff.next();
    log_.warning("the database is not usable yet; trying again", {{"error", startup_error_}, {"in_ms", delay.count()}});
    notify_status("waiting for the database");
    const Result<> slept = co_await runtime::sleep(delay);
    if (!slept) {
      co_return;
    }
  }
}

void Application::start_workers() {
  ingest_tasks_->spawn("ingest", ingestor_->run());
  ingest_tasks_->spawn("metadata", metadata_keeper_->run());
  relay_tasks_->spawn("relay", relay_->run());
  relay_tasks_->spawn("reconciler", relay_->run_reconciler());
  for (const auto& consumer : consumers_) {
    analysis_tasks_->spawn("consumer", consumer->run());
  }
  analysis_tasks_->spawn("ownership of the analysis", ownership_->run());
  analysis_tasks_->spawn("model version", anomaly_worker_->run_schedule());
  analysis_tasks_->spawn("model jobs", model_jobs_->run());
  analysis_tasks_->spawn("groups", group_watch_->run());
  analysis_tasks_->spawn("limits", limit_watch_->run());
  analysis_tasks_->spawn("saving of detectors", anomaly_worker_->run_saving());
  analysis_tasks_->spawn("silent series", anomaly_worker_->run_silences());
  upkeep_tasks_->spawn("partitions", keep_partitions());
  upkeep_tasks_->spawn("compaction", compactor_->run());
  upkeep_tasks_->spawn("stream trimming", stream::run_janitor(*redis_, config_.stream, clock_, logs_.log("stream"), metrics_,
                                                              config_.service.trim_interval));
  started_ = true;
  notify_ready("serving on " + server_->local_endpoints().front());
  log_.info("ready", {{"listen", server_->local_endpoints().front()}});
}

Async<std::size_t> Application::accept_samples(Deadline deadline, TenantId tenant, model::SampleBatch batch) {
  if (!started_) {
    co_return not_started();
  }
  co_return co_await ingestor_->accept(deadline, tenant, std::move(batch));
}

Async<std::vector<storage::AlertOutcome>> Application::accept_alerts(Deadline deadline, TenantId tenant, model::AlertBatch batch) {
  if (!started_) {
    co_return not_started();
  }
  co_return co_await ingestor_->accept(deadline, tenant, std::move(batch));
}

Async<> Application::store_dead_letter(stream::Entry entry, std::int64_t deliveries, std::string reason) {
  co_return co_await dead_letters_->store(Deadline::after(5s), kDefaultTenant, std::move(entry.event), config_.stream.group, deliveries,
                                          std::move(reason));
}

}  // namespace sensus::app
