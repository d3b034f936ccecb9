#include "options_internal.hpp"

#include "sensus/config/section.hpp"
#include "sensus/core/assert.hpp"

#include <unistd.h>
#include <array>

namespace sensus::stream {

void describe(config::Section& section, Options& options) {
  using namespace std::chrono_literals;
  section.string("metrics_key", options.metrics_key, "Stream of closed analysis steps.");
  section.string("alerts_key", options.alerts_key, "Stream of alert transitions.");
  section.string("explanations_key", options.explanations_key,
                 "Stream of requests for an LLM analysis.");
  section.string("events_key", options.events_key, "Stream behind the live feed.");
  section.string("group", options.group,
                 "Consumer group of the analyzers. Replicas of one site share it.");
  section.string("consumer", options.consumer,
                 "Name of this process in the group; must differ between replicas. Empty: "
                 "ai-worker-<host>-<pid>, removed from the group at "
                 "a clean stop.");
  section.integer("batch", options.batch, 1, 1000,
                  "Most entries that one read hands to a handler.");
  section.integer("deliveries_max", options.deliveries_max, 1, 100,
                  "An entry delivered this often without success becomes a dead letter.");
  section.duration("block", options.block, 10ms, 30s,
                   "How long a read waits for new entries; also bounds how long a stop takes.");
  section.duration("claim_idle", options.claim_idle, 100ms, 24h,
                   "An entry nobody touched for this long is delivered again: its consumer died, "
                   "or asked to try later.");
  section.duration("events_retention", options.events_retention, 1min, 168h,
                   "How far back Last-Event-ID of the live feed reaches.");
}

const std::string& key_of(const Options& options, model::Topic topic) {
  switch (topic) {
    case model::Topic::metrics: return options.metrics_key;
    case model::Topic::alerts: return options.alerts_key;
    case model::Topic::explanations: return options.explanations_key;
    case model::Topic::events: return options.events_key;
  }
  SENSUS_ASSERT(false);
  return options.events_key;
}

std::string consumer_name(const Options& options) {
  if (!options.consumer.empty()) {
    return options.consumer;
  }
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) {
    return "ai-worker-" + std::to_string(getpid());
  }
  return std::string("ai-worker-") + host.data() + "-" + std::to_string(getpid());
}

std::string dead_key(const std::string& key) { return key + ":dead"; }

}  // namespace sensus::stream
