#include "application_internal.hpp"

#include "command_line_internal.hpp"

#include "sensus/telemetry/process_metrics.hpp"

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <unistd.h>
#include <utility>

namespace sensus::app {
namespace {

namespace asio = boost::asio;
using telemetry::HealthReport;
using telemetry::HealthState;

/// Differs between replicas, and from the process before on the same host.
std::string process_name() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) {
    host[0] = '\0';
  }
  return "sensusd-" + std::string(host.data()) + "-" + std::to_string(::getpid());
}

/// Host and process number are the same for every container of an image that names its host.
std::string unique_process_name() {
  std::random_device random;
  return process_name() + "-" + std::to_string(random());
}

std::vector<ingest::StepRule> step_rules(const analysis::Rules& rules) {
  std::vector<ingest::StepRule> out;
  for (const analysis::Rules::Step& rule : rules.steps()) {
    out.push_back({rule.selector, rule.step});
  }
  return out;
}

// A tenth of what a thread without it gets, where both want the processor.
constexpr int kAnalysisNice = 10;

}  // namespace

Application::Application(CommandLine command_line, AppConfig config, telemetry::LogSystem& logs)
    : command_line_(std::move(command_line)),
      config_(std::move(config)),
      logs_(logs),
      log_(logs.log("app")),
      stop_stack_(log_),
      signals_(runtime_.executor()),
      stop_requested_signal_(runtime_.executor()),
      reload_successful_(metrics_.gauge("sensus_config_last_reload_successful", "1 when the last reload (or the start) took the configuration.")),
      reload_time_(metrics_.gauge("sensus_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.")),
      default_partition_rows_(metrics_.gauge("sensus_storage_default_partition_rows",
                                             "Rows of samples that no partition was made for; more than 0 needs a look.")),
      partition_failures_(metrics_.counter("sensus_storage_partition_failures_total", "Failed attempts to make partitions ahead.")),
      loop_lag_(metrics_.histogram("sensus_runtime_loop_lag_seconds", "How late a timer of the reactor fires.",
                                   {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5})) {
  telemetry::register_process_metrics(metrics_, kVersion);
  telemetry::register_log_metrics(metrics_, logs_);
}

Application::~Application() = default;

/// One straight line in dependency order. What is started pushes its stop on the next line; listening comes last; a failure unwinds
/// the same stack. Long on purpose: the order is the point.
Result<> Application::create() {
  const auto executor = runtime_.executor();
  if (!command_line_.embedded_dir.empty()) {
    SENSUS_TRY(embedded_, EmbeddedServices::start_blocking(command_line_.embedded_dir, logs_.log("embedded"), metrics_));
    stop_stack_.push_now("embedded servers", [this] { embedded_->stop_blocking(Deadline::after(8s)); });
    embedded_->apply(config_.database);
    embedded_->apply(config_.redis);
  }
  // Analysis yields to ingest and to the servers beside it: it may be late, and a queue holds what waits.
  cpu_pool_ = std::make_unique<runtime::BlockingPool>(executor, runtime::BlockingPoolOptions{"cpu", 1, 256, kAnalysisNice}, metrics_);
  stop_stack_.push_now("cpu pool", [this] { cpu_pool_->stop_blocking(); });
  parse_pool_ = std::make_unique<runtime::BlockingPool>(executor, runtime::BlockingPoolOptions{"parse", 1, 256}, metrics_);
  stop_stack_.push_now("parse pool", [this] { parse_pool_->stop_blocking(); });
  llm_pool_ = std::make_unique<runtime::BlockingPool>(executor, runtime::BlockingPoolOptions{"llm", 1, 64}, metrics_);
  stop_stack_.push_now("llm pool", [this] { llm_pool_->stop_blocking(); });

  database_ = std::make_unique<pg::Database>(executor, config_.database, logs_.log("pg"), metrics_);
  stop_stack_.push_now("database", [this] { database_->close_blocking(); });
  create_stores();
  storage::RetentionOptions retention = config_.retention;
  retention.raw = std::max(retention.raw, config_.limits.past_window);  // Days that late samples may still come for.
  compactor_ = std::make_unique<storage::Compactor>(
      storage::Compactor::Deps{executor, config_.database, clock_, logs_.log("compaction"), metrics_}, config_.compaction, retention);
  stop_stack_.push_now("compaction", [this] { compactor_->stop_blocking(); });

  redis_tasks_ = make_tasks("redis");
  redis_ = std::make_unique<redis::Client>(executor, "shared", config_.redis, logs_.log("redis"), metrics_);
  stop_stack_.push("redis", [this](Deadline deadline) { return stop_redis(deadline); });
  create_streams();
  stop_stack_.push("live feed", [this](Deadline deadline) { return stop_live_feed(deadline); });
  stop_stack_.push("relay", [this](Deadline deadline) { return stop_relay(deadline); });

  upkeep_tasks_ = make_tasks("app");
  stop_stack_.push("upkeep", [this](Deadline) { return upkeep_tasks_->stop(Duration::zero()); });
  analysis_tasks_ = make_tasks("analysis");
  SENSUS_TRY(rules_, analysis::Rules::make(config_.analysis));
  create_workers();
  SENSUS_TRY(model_jobs_, analysis::ModelJobs::make({*jobs_, *models_, *samples_, *detector_states_, *anomaly_worker_, *cpu_pool_, clock_,
                                                     logs_.log("analysis"), metrics_, process_name(),
                                                     config_.anomaly, [this] { return ownership_->holds(); }},
                                                    config_.models));
  SENSUS_TRY_VOID(create_group_watch());
  stop_stack_.push("analysis", [this](Deadline deadline) { return stop_analysis(deadline); });

  ingest_tasks_ = make_tasks("ingest");
  ingestor_ = std::make_unique<ingest::Ingestor>(
      ingest::Ingestor::Deps{executor, storage::make_sample_writer(config_.database, logs_.log("pg"), metrics_), *samples_, *alerts_,
                             clock_, logs_.log("ingest"), metrics_, [this] { relay_->wake(); }, step_rules(rules_)},
      config_.ingest);
  metadata_keeper_ = std::make_unique<ingest::MetadataKeeper>(
      ingest::MetadataKeeper::Deps{executor, *metadata_, clock_, logs_.log("ingest"), metrics_},
      ingest::MetadataKeeper::Limits{.families_max = static_cast<std::size_t>(config_.ingest.metadata_families_max)});
  stop_stack_.push("ingest", [this](Deadline deadline) { return stop_ingest(deadline); });

  register_health();
  create_router();
  server_ = std::make_unique<http::Server>(executor, config_.server, *router_, logs_.log("http"), metrics_);
  SENSUS_TRY_VOID(server_->listen());
  stop_stack_.push("http", [this](Deadline deadline) { return stop_server(deadline); });
  return write_ready_file();
}

/// A background task that dies of a bug leaves the daemon half alive: it ends instead, and its supervisor starts it again.
std::unique_ptr<runtime::TaskGroup> Application::make_tasks(std::string component) {
  auto end_the_daemon = [this](const std::string&, const std::string&) { request_stop(1); };
  return std::make_unique<runtime::TaskGroup>(runtime_.executor(), logs_.log(std::move(component)), std::move(end_the_daemon));
}

void Application::create_stores() {
  alerts_ = storage::make_alert_store(*database_);
  analyses_ = storage::make_analysis_store(*database_);
  models_ = storage::make_model_store(*database_);
  detector_states_ = storage::make_detector_state_store(*database_);
  jobs_ = storage::make_job_store(*database_);
  leases_ = storage::make_lease_store(*database_);
  feedback_ = storage::make_feedback_store(*database_);
  samples_ = storage::make_sample_store(*database_);
  metadata_ = storage::make_metadata_store(*database_);
  last_samples_ = storage::make_last_sample_store(*database_);
  outbox_ = storage::make_outbox(*database_);
  dead_letters_ = storage::make_dead_letters(*database_);
  maintenance_ = storage::make_maintenance(*database_);
}

void Application::create_streams() {
  const auto executor = runtime_.executor();
  const telemetry::Log log = logs_.log("stream");
  feed_tasks_ = make_tasks("stream");
  live_feed_ = std::make_unique<stream::LiveFeed>(stream::LiveFeed::Deps{executor, config_.redis, log, metrics_}, config_.stream);
  publisher_ = std::make_unique<stream::Publisher>(*redis_, config_.stream, log, metrics_);
  relay_tasks_ = make_tasks("relay");
  relay_ = std::make_unique<relay::Relay>(executor, *outbox_, *publisher_, config_.relay, logs_.log("relay"), metrics_);
}

void Application::create_workers() {
  const telemetry::Log log = logs_.log("analysis");
  const auto wake_relay = [this] { relay_->wake(); };
  web_ = webclient::make_curl_client(*llm_pool_);
  ollama_ = std::make_unique<llm::Ollama>(config_.llm, *web_, clock_, logs_.log("llm"), metrics_);
  anomaly_alerts_ = std::make_unique<analysis::AnomalyAlerts>(
      analysis::AnomalyAlerts::Deps{*alerts_, *samples_,
                                    [this](Deadline deadline, TenantId tenant, model::AlertBatch batch) {
                                      return accept_alerts(deadline, tenant, std::move(batch));
                                    },
                                    clock_, log, metrics_, [this] { return ownership_->holds(); }},
      config_.anomaly_alerts);
  anomaly_worker_ = std::make_unique<analysis::AnomalyWorker>(
      analysis::AnomalyWorker::Deps{*samples_, *analyses_, *models_, *detector_states_, *feedback_, *metadata_, *cpu_pool_, clock_, log, metrics_, wake_relay, rules_,
                                    [this] { return ownership_->holds(); }, anomaly_alerts_.get()},
      config_.anomaly);
  explain_worker_ = std::make_unique<analysis::ExplainWorker>(
      analysis::ExplainWorker::Deps{*alerts_, *analyses_, *outbox_, *ollama_, clock_, log, metrics_, wake_relay}, config_.evidence);
  forecaster_ = std::make_unique<analysis::Forecaster>(
      analysis::Forecaster::Deps{*samples_, *metadata_, *models_, *detector_states_, *cpu_pool_, clock_, metrics_}, config_.anomaly,
      std::chrono::duration_cast<std::chrono::seconds>(config_.ingest.analysis_step));

  ownership_ = std::make_unique<analysis::Ownership>(analysis::Ownership::Deps{
      *leases_, clock_, log, metrics_, unique_process_name(), config_.anomaly.owner_lease,
      [this](Deadline deadline) { return anomaly_worker_->forget_all(deadline); }, [this] { steps_consumer_->set_active(true); },
      [this](Deadline deadline) { return hand_over_analysis(deadline); }});
  limit_watch_ = std::make_unique<analysis::LimitWatch>(
      analysis::LimitWatch::Deps{
          *samples_, *alerts_,
          [this](Deadline deadline, TenantId tenant, model::ForecastQuery query) { return forecaster_->forecast(deadline, tenant, std::move(query)); },
          [this](Deadline deadline, TenantId tenant, model::AlertBatch batch) { return accept_alerts(deadline, tenant, std::move(batch)); }, clock_,
          log, metrics_, [this] { return ownership_->holds(); }},
      rules_);
  steps_consumer_ = &create_consumer(
      model::Topic::metrics, config_.stream,
      [this](std::vector<stream::Entry> entries) { return anomaly_worker_->handle(std::move(entries)); },
      [this] { return ownership_->holds(); });
  create_consumer(model::Topic::alerts, config_.stream,
                  [this](std::vector<stream::Entry> entries) { return explain_worker_->handle_alerts(std::move(entries)); });
  // One at a time: the model answers one after the other. Consumers keep what they work on from being claimed, however long it takes,
  // so what a dead one left is taken over as soon as anything else. Without a model too: what was asked of one that has been switched
  // off since is to be finished, or it stays in the outbox for ever.
  stream::Options one_by_one = config_.stream;
  one_by_one.batch = 1;
  create_consumer(model::Topic::explanations, one_by_one,
                  [this](std::vector<stream::Entry> entries) { return explain_worker_->handle_explanations(std::move(entries)); });
}

Result<> Application::create_group_watch() {
  analysis::GroupWatchOptions options;
  options.groups = config_.analysis.groups;
  if (config_.ingest.analysis_step >= 1s) {
    options.step = std::chrono::duration_cast<std::chrono::seconds>(config_.ingest.analysis_step);
  }
  // Steps are looked at when their anomalies are known too.
  options.wait = config_.ingest.step_grace + 10s;
  options.history = config_.anomaly.history;
  SENSUS_TRY(group_watch_,
             analysis::GroupWatch::make({*samples_, *analyses_, *metadata_, *cpu_pool_, clock_, logs_.log("analysis"), metrics_,
                                         [this](Deadline deadline, TenantId tenant, model::SampleBatch batch) {
                                           return accept_samples(deadline, tenant, std::move(batch));
                                         },
                                         [this] { relay_->wake(); }, [this] { return ownership_->holds(); }},
                                        std::move(options)));
  return {};
}

stream::Consumer& Application::create_consumer(model::Topic topic, stream::Options options, stream::Consumer::Handler handler,
                                               std::function<bool()> holds) {
  consumers_.push_back(std::make_unique<stream::Consumer>(
      stream::Consumer::Deps{runtime_.executor(), config_.redis, logs_.log("stream"), metrics_, std::move(holds)}, std::move(options), topic,
      std::move(handler),
      [this](stream::Entry entry, std::int64_t deliveries, std::string reason) {
        return store_dead_letter(std::move(entry), deliveries, std::move(reason));
      },
      [this, topic] { relay_->republish(topic); }));
  return *consumers_.back();
}

void Application::create_router() {
  api::Options options = config_.api;
  options.reads_at_once = std::clamp<std::int64_t>(config_.database.sessions - 1, 1, options.reads_at_once);
  router_.emplace(api::make_router(
      api::Deps{
          .accept_samples = [this](Deadline deadline, TenantId tenant,
                                   model::SampleBatch batch) { return accept_samples(deadline, tenant, std::move(batch)); },
          .note_metadata = [this](TenantId tenant, const model::MetadataBatch& batch) { metadata_keeper_->note(tenant, batch); },
          .accept_alerts = [this](Deadline deadline, TenantId tenant,
                                  model::AlertBatch batch) { return accept_alerts(deadline, tenant, std::move(batch)); },
          .subscribe = [this](Deadline deadline,
                              std::optional<std::string> id) { return live_feed_->subscribe(deadline, std::move(id)); },
          .forecast = [this](Deadline deadline, TenantId tenant,
                             model::ForecastQuery query) { return forecaster_->forecast(deadline, tenant, std::move(query)); },
          .alerts = *alerts_,
          .analyses = *analyses_,
          .models = *models_,
          .jobs = *jobs_,
          .feedback = *feedback_,
          .samples = *samples_,
          .metadata = *metadata_,
          .last_samples = *last_samples_,
          .health = health_,
          .metrics = metrics_,
          .log = logs_.log("api"),
          .clock = clock_,
          .limits = config_.limits.to_limits(),
          .environment = config_.service.environment,
          .version = kVersion,
          .parse_pool = parse_pool_.get(),
          .started = [this] { return started_; },
          .draining = [this] { return stop_requested_; },
          .wake_models = [this] { anomaly_worker_->look_at_version(); },
          .wake_jobs = [this] { model_jobs_->wake(); },
          .reload = [this] { return reload(); },
      },
      options));
}

void Application::register_health() {
  health_.add("database", true, [this] {
    return started_ ? database_->health() : HealthReport{HealthState::failed, startup_error_};
  });
  health_.add("redis", false, [this] { return redis_->health(); });
  health_.add("relay", false, [this] { return relay_->health(); });
  health_.add("ingest", false, [this] { return ingestor_->health(); });
  health_.add("analysis", false, [this] { return ownership_->health(); });
  health_.add("partitions", false, [this] {
    return partitions_.default_rows == 0
               ? HealthReport{}
               : HealthReport{HealthState::degraded, std::to_string(partitions_.default_rows) + " rows in the default partition"};
  });
  if (ollama_->enabled()) {
    health_.add("ollama", false, [this] { return ollama_->health(); });
  }
}

}  // namespace sensus::app
