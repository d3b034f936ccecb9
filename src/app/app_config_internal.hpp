#pragma once

#include "sensus/analysis/anomaly_alerts.hpp"
#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/analysis/explain_worker.hpp"
#include "sensus/analysis/forecaster.hpp"
#include "sensus/analysis/group_watch.hpp"
#include "sensus/analysis/limit_watch.hpp"
#include "sensus/analysis/model_jobs.hpp"
#include "sensus/analysis/rules.hpp"
#include "sensus/api/router.hpp"
#include "sensus/app/application.hpp"
#include "sensus/config/reader.hpp"
#include "sensus/http/server.hpp"
#include "sensus/ingest/ingestor.hpp"
#include "sensus/ingest/metadata_keeper.hpp"
#include "sensus/llm/ollama.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/pg/options.hpp"
#include "sensus/redis/client.hpp"
#include "sensus/relay/relay.hpp"
#include "sensus/storage/compaction.hpp"
#include "sensus/stream/stream.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace sensus::app {

struct ServiceOptions {
  std::string environment = "production";
  std::chrono::milliseconds startup_timeout{300'000};
  std::chrono::milliseconds drain_delay{0};
  std::chrono::milliseconds shutdown_timeout{25'000};
  std::chrono::milliseconds partitions_ahead{48 * 3'600'000};
  std::chrono::milliseconds trim_interval{15'000};
};

struct LogSettings {
  std::string level = "info";
  std::string format = "auto";
  [[nodiscard]] telemetry::LogLevel parsed_level() const;
  [[nodiscard]] telemetry::LogFormat parsed_format() const;
};

struct LimitSettings {
  std::int64_t label_count_max = 64;
  ByteSize label_name_max{256};
  ByteSize label_value_max = 4_KiB;
  ByteSize annotation_value_max = 64_KiB;
  std::chrono::milliseconds past_window{30LL * 24 * 3'600'000};
  std::chrono::milliseconds future_window{600'000};
  [[nodiscard]] model::InputLimits to_limits() const;
};

/// The aggregate of every module's options: the only place that sees the whole configuration.
struct AppConfig {
  ServiceOptions service;
  LogSettings log;
  http::Options server;
  api::Options api;
  LimitSettings limits;
  pg::Options database;
  redis::Options redis;
  stream::Options stream;
  ingest::Options ingest;
  storage::CompactionOptions compaction;
  storage::RetentionOptions retention;
  relay::Options relay;
  analysis::Options analysis;
  analysis::AnomalyAlertOptions anomaly_alerts;  ///< In the section `analysis`, too.
  analysis::AnomalyOptions anomaly;
  analysis::ModelOptions models;
  analysis::EvidenceOptions evidence;
  llm::Options llm;

  /// Bound to this object, in the order of the reference file.
  [[nodiscard]] std::vector<config::Section> sections();
};

/// The configuration of this command line, or every mistake as a printable line.
using LoadedConfig = std::variant<AppConfig, std::vector<std::string>>;
[[nodiscard]] LoadedConfig load_config(const CommandLine& command_line, const config::Environment& env);

/// Keys whose values differ and that only a restart applies, e.g. "server.listen".
[[nodiscard]] std::vector<std::string> restart_keys(AppConfig& before, AppConfig& after);

}  // namespace sensus::app
