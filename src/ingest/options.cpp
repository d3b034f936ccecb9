#include "sensus/config/section.hpp"
#include "sensus/ingest/ingestor.hpp"
#include "sensus/ingest/limits.hpp"

namespace sensus::ingest {

void describe(config::Section& section, Options& options) {
  using namespace std::chrono_literals;
  section.size("queue_limit", options.queue_limit, 1_MiB, 4096_MiB,
               "Memory for samples that wait for their commit. When it is full, senders get 503 and retry.");
  section.integer("flush_rows_max", options.flush_rows_max, 1000, 10'000'000,
                  "Samples of one group commit, at most. More wait for the next; a single larger body still goes in one.");
  section.integer("series_cache_max", options.series_cache_max, 1000, 100'000'000,
                  "Series whose id is kept in memory, about 250 bytes each. A series beyond it costs the database a look-up.");
  section.duration("commit_timeout", options.commit_timeout, 100ms, 60s,
                   "How long a request waits for its commit before it is answered 503. Alertmanager's own patience is 10 s.");
  section.duration("analysis_step", options.analysis_step, 0ms, 1h,
                   "Detectors see the mean of each series over this step, in whole seconds; 0 shows them every sample.");
  section.duration("step_grace", options.step_grace, 0ms, 10min,
                   "How long after its end a step waits for late samples. Later ones are stored but not analysed.");
  section.integer("alerts_in_flight_max", options.alerts_in_flight_max, 1, 100'000,
                  "Alert requests that may wait for their commit at once. Beyond it senders get 503 and retry.");
}

void describe(config::Section& section, LimitOptions& options) {
  using namespace std::chrono_literals;
  section.integer("labels", options.labels, 1, 10'000, "Labels of one series or alert, and annotations of one alert, at most.");
  section.size("label_name", options.label_name, {1}, 64_KiB, "Length of a label's name, at most.");
  section.size("label_value", options.label_value, {1}, 1_MiB, "Length of a label's value, at most.");
  section.size("annotation_value", options.annotation_value, {1}, 16_MiB, "Length of an annotation or of a generatorURL, at most.");
  section.size("metric_name", options.metric_name, {1}, {255}, "Length of a metric's name, at most.");
  section.duration("past_window", options.past_window, 1min, 24h * 3660,
                   "How old a sample or the start of a firing alert may be. A resolved alert may have begun up to a year earlier.");
  section.duration("future_window", options.future_window, 0ms, 24h, "How far ahead of this machine's clock a time may be.");
}

model::InputLimits input_limits(const LimitOptions& options) {
  model::InputLimits out;
  out.label_count_max = static_cast<std::size_t>(options.labels);
  out.label_name_bytes_max = options.label_name.bytes;
  out.label_value_bytes_max = options.label_value.bytes;
  out.annotation_value_bytes_max = options.annotation_value.bytes;
  out.metric_name_bytes_max = options.metric_name.bytes;
  out.past_window = options.past_window;
  out.future_window = options.future_window;
  return out;
}

}  // namespace sensus::ingest
