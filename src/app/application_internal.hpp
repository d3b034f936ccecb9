#pragma once

#include "app_config_internal.hpp"
#include "embedded_internal.hpp"
#include "exit_guard_internal.hpp"

#include "sensus/analysis/ownership.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/pg/database.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/runtime/runtime.hpp"
#include "sensus/runtime/signal.hpp"
#include "sensus/runtime/stop_stack.hpp"
#include "sensus/runtime/task_group.hpp"
#include "sensus/storage/compaction.hpp"
#include "sensus/storage/jobs.hpp"
#include "sensus/storage/leases.hpp"
#include "sensus/storage/maintenance.hpp"
#include "sensus/storage/outbox.hpp"
#include "sensus/stream/consumer.hpp"
#include "sensus/stream/live_feed.hpp"
#include "sensus/stream/publisher.hpp"
#include "sensus/telemetry/health.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"
#include "sensus/webclient/client.hpp"

#include <boost/asio/signal_set.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::app {

/// The daemon: builds every part, runs the reactor, stops in reverse. **Threading**: constructed, run and destroyed on one thread,
/// which is the reactor while `run` lasts.
class Application {
 public:
  Application(CommandLine command_line, AppConfig config, telemetry::LogSystem& logs);
  ~Application();
  Application(const Application&) = delete;
  Application& operator=(const Application&) = delete;

  /// The exit code.
  int run();

 private:
  // application.cpp: what exists, in dependency order.
  Result<> create();
  [[nodiscard]] std::unique_ptr<runtime::TaskGroup> make_tasks(std::string component);
  void create_stores();
  void create_streams();
  void create_workers();
  stream::Consumer& create_consumer(model::Topic topic, stream::Options options, stream::Consumer::Handler handler,
                                    std::function<bool()> holds = {});
  Result<> create_group_watch();
  void create_router();
  void register_health();

  // startup.cpp: from listening to serving.
  runtime::Task start_up();
  runtime::Async<> prepare_database();
  void start_workers();
  runtime::Async<std::size_t> accept_samples(Deadline deadline, TenantId tenant, model::SampleBatch batch);
  runtime::Async<std::vector<storage::AlertOutcome>> accept_alerts(Deadline deadline, TenantId tenant, model::AlertBatch batch);
  runtime::Async<> store_dead_letter(stream::Entry entry, std::int64_t deliveries, std::string reason);

  // lifecycle.cpp: signals, reload, stop.
  runtime::Task live();
  void wait_for_signal();
  void on_signal(int number);
  void request_stop(int exit_code);
  Result<> reload();
  runtime::Async<> stop_server(Deadline deadline);
  runtime::Async<> stop_ingest(Deadline deadline);
  runtime::Async<> stop_analysis(Deadline deadline);
  runtime::Async<> hand_over_analysis(Deadline deadline);
  runtime::Async<> stop_relay(Deadline deadline);
  runtime::Async<> stop_live_feed(Deadline deadline);
  runtime::Async<> stop_redis(Deadline deadline);
  Result<> write_ready_file() const;

  // upkeep.cpp: loops that run as long as the daemon.
  runtime::Task keep_partitions();
  runtime::Async<> make_partitions();
  runtime::Task measure_loop_lag();
  runtime::Task feed_watchdog(Duration interval);

  // Declared in dependency order: destroyed in reverse.
  CommandLine command_line_;
  AppConfig config_;
  telemetry::LogSystem& logs_;
  telemetry::Log log_;
  SystemClock clock_;
  telemetry::Metrics metrics_;
  telemetry::Health health_;
  runtime::Runtime runtime_;
  ExitGuard exit_guard_;
  runtime::StopStack stop_stack_;
  boost::asio::signal_set signals_;
  runtime::Signal stop_requested_signal_;
  bool stop_requested_ = false;
  bool started_ = false;
  int exit_code_ = 0;
  std::string startup_error_ = "starting";
  storage::Maintenance::PartitionReport partitions_;
  telemetry::Gauge reload_successful_;
  telemetry::Gauge reload_time_;
  telemetry::Gauge default_partition_rows_;
  telemetry::Counter partition_failures_;
  telemetry::Histogram loop_lag_;

  std::unique_ptr<EmbeddedServices> embedded_;
  std::unique_ptr<runtime::BlockingPool> cpu_pool_;
  std::unique_ptr<runtime::BlockingPool> parse_pool_;
  std::unique_ptr<runtime::BlockingPool> llm_pool_;
  std::unique_ptr<pg::Database> database_;
  std::unique_ptr<storage::AlertStore> alerts_;
  std::unique_ptr<storage::AnalysisStore> analyses_;
  std::unique_ptr<storage::ModelStore> models_;
  std::unique_ptr<storage::DetectorStateStore> detector_states_;
  std::unique_ptr<storage::JobStore> jobs_;
  std::unique_ptr<storage::LeaseStore> leases_;
  std::unique_ptr<storage::FeedbackStore> feedback_;
  std::unique_ptr<storage::SampleStore> samples_;
  std::unique_ptr<storage::MetadataStore> metadata_;
  std::unique_ptr<storage::LastSampleStore> last_samples_;
  std::unique_ptr<storage::Outbox> outbox_;
  std::unique_ptr<storage::DeadLetters> dead_letters_;
  std::unique_ptr<storage::Maintenance> maintenance_;
  std::unique_ptr<storage::Compactor> compactor_;
  std::unique_ptr<runtime::TaskGroup> redis_tasks_;
  std::unique_ptr<redis::Client> redis_;
  std::unique_ptr<stream::LiveFeed> live_feed_;
  std::unique_ptr<runtime::TaskGroup> feed_tasks_;
  std::unique_ptr<stream::Publisher> publisher_;
  std::unique_ptr<relay::Relay> relay_;
  std::unique_ptr<runtime::TaskGroup> relay_tasks_;
  std::unique_ptr<webclient::Client> web_;
  std::unique_ptr<llm::Ollama> ollama_;
  analysis::Rules rules_;
  std::unique_ptr<analysis::AnomalyAlerts> anomaly_alerts_;
  std::unique_ptr<analysis::AnomalyWorker> anomaly_worker_;
  std::unique_ptr<analysis::ModelJobs> model_jobs_;
  std::unique_ptr<analysis::ExplainWorker> explain_worker_;
  std::unique_ptr<analysis::Forecaster> forecaster_;
  std::unique_ptr<analysis::Ownership> ownership_;
  std::unique_ptr<analysis::GroupWatch> group_watch_;
  std::unique_ptr<analysis::LimitWatch> limit_watch_;
  std::vector<std::unique_ptr<stream::Consumer>> consumers_;
  stream::Consumer* steps_consumer_ = nullptr;  ///< One of `consumers_`: the one that only the owner of the analysis runs.
  std::unique_ptr<runtime::TaskGroup> analysis_tasks_;
  std::unique_ptr<ingest::Ingestor> ingestor_;
  std::unique_ptr<ingest::MetadataKeeper> metadata_keeper_;
  std::unique_ptr<runtime::TaskGroup> ingest_tasks_;
  std::unique_ptr<runtime::TaskGroup> upkeep_tasks_;
  std::optional<http::Router> router_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace sensus::app
