#include "app_config_internal.hpp"

#include "sensus/config/section.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace sensus::app {
namespace {

using config::Section;

constexpr std::chrono::milliseconds kMinute{60'000};
constexpr std::chrono::milliseconds kHour{3'600'000};
constexpr std::chrono::milliseconds kDay{24 * 3'600'000};

void describe(Section& section, ServiceOptions& options) {
  section
      .string("environment", options.environment, "Name of this installation, shown by /healthz/ready.")
      .duration("startup_timeout", options.startup_timeout, std::chrono::milliseconds{1000}, kDay,
                "How long the daemon waits at start for PostgreSQL and its migrations, answering 503, before it exits with code 1.")
      .duration("drain_delay", options.drain_delay, std::chrono::milliseconds{0}, kMinute,
                "How long after SIGTERM the daemon is not ready but still accepts connections, so that load balancers notice. Part of "
                "shutdown_timeout.")
      .duration("shutdown_timeout", options.shutdown_timeout, std::chrono::milliseconds{1000}, 10 * kMinute,
                "All the time a graceful stop may take; what is not done by then is cut.")
      .duration("partitions_ahead", options.partitions_ahead, kHour, 30 * kDay,
                "How far ahead partitions of sample_batches are made, hourly.")
      .duration("trim_interval", options.trim_interval, std::chrono::milliseconds{1000}, kHour,
                "How often streams are trimmed to what their groups have done, and their lag is measured.");
}

void describe(Section& section, LogSettings& options) {
  section
      .choice("level", options.level, {"debug", "info", "warning", "error", "critical"}, "The least severe level that is written.")
      .reloadable()
      .choice("format", options.format, {"auto", "json", "text"},
              "json: one object a line; text: for people; auto: text on a terminal, else json.");
}

void describe(Section& section, LimitSettings& options) {
  section.integer("label_count_max", options.label_count_max, 1, 1024, "Labels of one series or alert.")
      .size("label_name_max", options.label_name_max, ByteSize{1}, 4_KiB, "Length of a label name.")
      .size("label_value_max", options.label_value_max, ByteSize{1}, 1_MiB, "Length of a label value.")
      .size("annotation_value_max", options.annotation_value_max, ByteSize{1}, 1_MiB, "Length of an annotation's value.")
      .duration("past_window", options.past_window, kHour, 366 * kDay, "Samples and alerts older than this are refused.")
      .duration("future_window", options.future_window, kMinute, kDay, "Samples and alerts further ahead of the clock are refused.");
}

template <class Options>
void add(std::vector<Section>& sections, const char* name, const char* help, Options& options) {
  sections.emplace_back(name, help);
  describe(sections.back(), options);
}

Result<std::string> read_file(const std::string& path) {
  constexpr std::size_t kBytesMax = (std::size_t{1} << 20U) + 1;  // The reader refuses more than 1 MiB.
  std::ifstream stream(path, std::ios::binary);
  std::string text(kBytesMax, '\0');
  if (stream) {
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  }
  if (!stream.is_open() || stream.bad()) {
    return make_error(Errc::not_found, path + ": cannot read the configuration: " + std::strerror(errno));
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

void apply(const CommandLine& command_line, AppConfig& config) {
  if (!command_line.listen.empty()) {
    config.server.listen = {command_line.listen};
  }
  if (!command_line.log_level.empty()) {
    config.log.level = command_line.log_level;
  }
  if (!command_line.log_format.empty()) {
    config.log.format = command_line.log_format;
  }
}

}  // namespace

telemetry::LogLevel LogSettings::parsed_level() const {
  using telemetry::LogLevel;
  for (const auto& [name, value] : {std::pair{"debug", LogLevel::debug}, {"warning", LogLevel::warning}, {"error", LogLevel::error},
                                    {"critical", LogLevel::critical}}) {
    if (level == name) {
      return value;
    }
  }
  return LogLevel::info;
}

telemetry::LogFormat LogSettings::parsed_format() const {
  if (format == "json") {
    return telemetry::LogFormat::json;
  }
  return format == "text" ? telemetry::LogFormat::text : telemetry::LogFormat::automatic;
}

model::InputLimits LimitSettings::to_limits() const {
  model::InputLimits limits;
  limits.label_count_max = static_cast<std::size_t>(label_count_max);
  limits.label_name_bytes_max = label_name_max.bytes;
  limits.label_value_bytes_max = label_value_max.bytes;
  limits.annotation_value_bytes_max = annotation_value_max.bytes;
  limits.past_window = std::chrono::duration_cast<std::chrono::hours>(past_window);
  limits.future_window = std::chrono::duration_cast<std::chrono::minutes>(future_window);
  return limits;
}

std::vector<Section> AppConfig::sections() {
  std::vector<Section> out;
  out.reserve(20);
  add(out, "service", "The process as a whole.", service);
  add(out, "log", "Log lines, on stderr.", log);
  add(out, "server", "The HTTP server.", server);
  add(out, "api", "The HTTP API.", api);
  add(out, "limits", "What posted samples and alerts may be.", limits);
  add(out, "database", "PostgreSQL, where everything is kept. Not used with --embedded.", database);
  add(out, "redis", "Redis, which carries work between parts and may be lost. Not used with --embedded, but for the timeouts.", redis);
  add(out, "stream", "Redis Streams: names, consumers, redelivery.", stream);
  add(out, "ingest", "From accepted requests to committed rows.", ingest);
  add(out, "compaction", "Samples of closed days become chunks, small on disk and quick to read.", compaction);
  add(out, "retention", "How long what is measured, and what went wrong, is kept. Alerts and analyses are kept for ever.", retention);
  add(out, "relay", "From the outbox table to Redis Streams.", relay);
  add(out, "analysis", "What is known of series that are analysed.", analysis);
  analysis::describe(out.back(), anomaly_alerts);
  add(out, "anomaly", "The Isolation Forest detectors.", anomaly);
  add(out, "models", "When models are retrained and measured, and how many versions are kept.", models);
  add(out, "evidence", "What is looked at around an alert.", evidence);
  add(out, "llm", "Ollama, which refines reports when it is there.", llm);
  return out;
}

LoadedConfig load_config(const CommandLine& command_line, const config::Environment& env) {
  AppConfig config;
  std::vector<std::string> mistakes;
  if (!command_line.config_file.empty()) {
    const auto text = read_file(command_line.config_file);
    if (!text) {
      return std::vector<std::string>{text.error().message};
    }
    std::vector<Section> sections = config.sections();
    for (const config::Problem& problem : config::read_yaml(*text, sections, env)) {
      mistakes.push_back(config::render(problem, command_line.config_file));
    }
  }
  if (!mistakes.empty()) {
    return mistakes;
  }
  apply(command_line, config);
  return config;
}

std::vector<std::string> restart_keys(AppConfig& before, AppConfig& after) {
  std::vector<std::string> keys;
  const std::vector<Section> old_sections = before.sections();
  const std::vector<Section> new_sections = after.sections();
  for (std::size_t s = 0; s < old_sections.size(); ++s) {
    const auto& old_fields = old_sections[s].fields();
    const auto& new_fields = new_sections[s].fields();
    for (std::size_t f = 0; f < old_fields.size(); ++f) {
      if (!old_fields[f].reloadable && old_fields[f].raw() != new_fields[f].raw()) {
        keys.push_back(old_sections[s].name() + "." + old_fields[f].key);
      }
    }
  }
  return keys;
}

}  // namespace sensus::app
