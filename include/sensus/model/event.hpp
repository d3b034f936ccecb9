#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sensus::model {

/// What travels through the outbox to Redis Streams. The stream keys are configuration (stream::Options).
enum class Topic {
  metrics,       ///< Closed analysis steps, many a row. Group: anomaly worker.
  alerts,        ///< One episode transition a row. Group: explain worker.
  explanations,  ///< One request for an LLM analysis a row. Group: LLM worker.
  events,        ///< What the live feed shows: alerts, anomalies, analyses. No group; kept for a while for Last-Event-ID.
};
inline constexpr int kTopicCount = 4;
[[nodiscard]] std::string_view to_string(Topic topic);
[[nodiscard]] std::optional<Topic> parse_topic(std::string_view text);
/// True when a consumer group must finish an entry before its outbox row may go; only `events` has none.
[[nodiscard]] bool has_group(Topic topic);

/// An event to be written to the outbox in the transaction of its cause.
struct NewEvent {
  Topic topic = Topic::events;
  std::string type;     ///< "metric", "alert", "anomaly", "analysis", "explain"
  std::string payload;  ///< JSON object.
};

/// An outbox row, or a stream entry made from it (fields type, data, ts, and id = the outbox id).
struct Event {
  EventId id = 0;
  Topic topic = Topic::events;
  std::string type;
  std::string payload;
  Timestamp created_at;
};

/// Where a page of a list begins: the (time, id) of the last row seen; lists run from newest to oldest.
struct PageKey {
  Timestamp time;
  std::int64_t id = 0;
};

}  // namespace sensus::model
