#pragma once

#include "sensus/stream/stream.hpp"

#include <string>
#include <vector>

namespace sensus::stream {

/// XADDs events to their topics' streams in one pipeline. **Threading**: reactor. **Errors**: as
/// redis::Client; an error reply of Redis (OOM, READONLY, LOADING, ...) is `unavailable` and
/// counted by code. After an error nothing is known: publish again.
class Publisher {
 public:
  Publisher(redis::Client& client, Options options, telemetry::Log log,
            telemetry::Metrics& metrics);
  /// Entry ids in the order of `events`.
  [[nodiscard]] runtime::Async<std::vector<std::string>> publish(Deadline deadline,
                                                                 std::vector<model::Event> events);
  /// Which of the entry ids are no longer in their streams (flushed, trimmed, lost in a failover).
  struct Location {
    model::Topic topic = model::Topic::events;
    std::string stream_id;
  };
  [[nodiscard]] runtime::Async<std::vector<bool>> missing(Deadline deadline,
                                                          std::vector<Location> entries);

 private:
  redis::Client& client_;
  Options options_;
  telemetry::Log log_;
  telemetry::Counter published_;
  telemetry::Counter errors_;
};

}  // namespace sensus::stream
