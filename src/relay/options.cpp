#include "sensus/config/section.hpp"
#include "sensus/relay/relay.hpp"

namespace sensus::relay {

void describe(config::Section& section, Options& options) {
  using namespace std::chrono_literals;
  section.integer("batch", options.batch, 1, 5000,
                  "Most outbox rows that are published in one step.");
  section.duration(
      "poll_interval", options.poll_interval, 10ms, 1min,
      "How often the outbox is looked at without a wake-up: finds the rows of other replicas.");
  section.duration("lease", options.lease, 1s, 1h,
                   "Rows claimed by a replica that died are claimed again after this.");
  section.duration("reconcile_interval", options.reconcile_interval, 100ms, 1h,
                   "How often unfinished rows are compared with Redis.");
  section.duration("reconcile_age", options.reconcile_age, 100ms, 24h,
                   "Unfinished rows older than this are looked up in Redis.");
}

}  // namespace sensus::relay
