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
                  "Series whose id is kept in memory, 36 to 73 bytes each. A series beyond it costs the database a look-up.");
  section.duration("series_idle", options.series_idle, 30min, 12h,
                   "A series without samples for so long is not active any more: it leaves the memory for ids.");
  section.integer("active_series_max", options.active_series_max, 1, 100'000'000,
                  "Active series that a tenant may have. Beyond it samples of new series are refused for good (400, counted); the others go "
                  "on. Above series_cache_max it has no effect.");
  section.duration("commit_timeout", options.commit_timeout, 100ms, 60s,
                   "How long a request waits for its commit before it is answered 503. Alertmanager's own patience is 10 s.");
  section.duration("analysis_step", options.analysis_step, 0ms, 1h,
                   "Detectors see the mean of each series over this step, in whole seconds; 0 shows them every sample.");
  section.duration("step_grace", options.step_grace, 0ms, 10min,
                   "How long after its end a step waits for late samples. Later ones are stored but not analysed.");
  section.integer("alerts_in_flight_max", options.alerts_in_flight_max, 1, 100'000,
                  "Alert requests that may wait for their commit at once. Beyond it senders get 503 and retry.");
  section.integer("metadata_families_max", options.metadata_families_max, 0, 1'000'000,
                  "Metric families whose type, unit and help are kept, as senders give them. Samples of those beyond it are stored all "
                  "the same.");
}

}  // namespace sensus::ingest
