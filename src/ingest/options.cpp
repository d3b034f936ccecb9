#include "sensus/config/section.hpp"
#include "sensus/ingest/ingestor.hpp"

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

}  // namespace sensus::ingest
