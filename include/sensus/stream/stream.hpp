#pragma once

#include "sensus/model/event.hpp"
#include "sensus/redis/client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::stream {

struct Options {
  std::string metrics_key = "metrics:raw";  ///< The seed's name.
  std::string alerts_key = "sensus:alerts";
  std::string explanations_key = "sensus:explanations";
  std::string events_key = "sensus:events";
  std::string group = "ai_service_group";
  std::string consumer;  ///< Empty: "ai-worker-<host>-<pid>"; must differ between replicas.
  std::int64_t batch = 10;
  std::int64_t deliveries_max = 5;
  std::chrono::milliseconds block{2000};
  /// An entry idle this long belongs to a dead consumer; a living one refreshes what it has in hand.
  std::chrono::milliseconds claim_idle{15'000};
  std::chrono::milliseconds events_retention{3'600'000};
};
void describe(config::Section& section, Options& options);
[[nodiscard]] const std::string& key_of(const Options& options, model::Topic topic);

/// One stream entry. Fields on the wire: type, data, ts (Unix seconds with fraction), id (outbox
/// id).
struct Entry {
  std::string stream_id;
  model::Event event;
};
[[nodiscard]] std::vector<std::string> render_fields(const model::Event& event);
/// nullopt when fields are missing or malformed (a poison entry).
[[nodiscard]] std::optional<model::Event> parse_fields(model::Topic topic,
                                                       const redis::Reply& fields);

}  // namespace sensus::stream
