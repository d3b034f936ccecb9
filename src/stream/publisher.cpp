#include "sensus/stream/publisher.hpp"

#include "replies_internal.hpp"

#include <algorithm>
#include <utility>

namespace sensus::stream {
namespace {

constexpr std::size_t kChunk =
    1000;  ///< Commands of one pipeline: bounds what waits in the client.

std::vector<redis::Command> render_adds(const Options& options,
                                        const std::vector<model::Event>& events, std::size_t from) {
  std::vector<redis::Command> commands;
  const std::size_t until = std::min(from + kChunk, events.size());
  commands.reserve(until - from);
  for (std::size_t i = from; i < until; ++i) {
    redis::Command command{"XADD", key_of(options, events[i].topic), "*"};
    for (std::string& field : render_fields(events[i])) {
      command.push_back(std::move(field));
    }
    commands.push_back(std::move(command));
  }
  return commands;
}

Result<> take_ids(std::vector<redis::Reply> replies, std::vector<std::string>& ids) {
  for (redis::Reply& reply : replies) {
    SENSUS_TRY_VOID(check_reply(reply));
    auto* id = std::get_if<std::string>(&reply.value);
    if (id == nullptr) {
      return make_error(Errc::unavailable, "unexpected reply of Redis to XADD");
    }
    ids.push_back(std::move(*id));
  }
  return {};
}

std::vector<redis::Command> render_lookups(const Options& options,
                                           const std::vector<Publisher::Location>& entries,
                                           std::size_t from) {
  std::vector<redis::Command> commands;
  for (std::size_t i = from; i < std::min(from + kChunk, entries.size()); ++i) {
    // An id that is none is asked for as one that never exists.
    const std::string id = parse_stream_id(entries[i].stream_id) ? entries[i].stream_id : "0-0";
    commands.push_back({"XRANGE", key_of(options, entries[i].topic), id, id, "COUNT", "1"});
  }
  return commands;
}

Result<> take_presence(const std::vector<redis::Reply>& replies, std::vector<bool>& missing) {
  for (const redis::Reply& reply : replies) {
    SENSUS_TRY_VOID(check_reply(reply));
    missing.push_back(reply.array() == nullptr || reply.array()->empty());
  }
  return {};
}

}  // namespace

Publisher::Publisher(redis::Client& client, Options options, telemetry::Log log,
                     telemetry::Metrics& metrics)
    : client_(client),
      options_(std::move(options)),
      log_(std::move(log)),
      published_(metrics.counter("sensus_stream_published_total", "Entries added to streams.")),
      errors_(metrics.counter("sensus_stream_publish_errors_total",
                              "Batches that could not be added to their streams.")) {}

runtime::Async<std::vector<std::string>> Publisher::publish(Deadline deadline,
                                                            std::vector<model::Event> events) {
  std::vector<std::string> ids;
  ids.reserve(events.size());
  while (ids.size() < events.size()) {
    std::vector<redis::Command> commands = render_adds(options_, events, ids.size());
    Result<std::vector<redis::Reply>> replies =
        co_await client_.pipeline(deadline, std::move(commands));
    if (!replies) {
      errors_.inc();
      co_return std::move(replies).error();
    }
    const std::size_t before = ids.size();
    Result<> taken = take_ids(std::move(*replies), ids);
    published_.inc(static_cast<double>(ids.size() - before));
    if (!taken) {
      errors_.inc();
      log_.throttled(telemetry::LogLevel::warning, taken.error().message,
                     "Redis refuses entries; they stay in the outbox and are published again. OOM: "
                     "raise maxmemory. READONLY: this is no primary.");
      co_return make_error(Errc::unavailable, taken.error().message);
    }
  }
  co_return ids;
}

runtime::Async<std::vector<bool>> Publisher::missing(Deadline deadline,
                                                     std::vector<Location> entries) {
  std::vector<bool> missing;
  missing.reserve(entries.size());
  while (missing.size() < entries.size()) {
    std::vector<redis::Command> commands = render_lookups(options_, entries, missing.size());
    Result<std::vector<redis::Reply>> replies =
        co_await client_.pipeline(deadline, std::move(commands));
    if (!replies) {
      co_return std::move(replies).error();
    }
    Result<> taken = take_presence(*replies, missing);
    if (!taken) {
      co_return std::move(taken).error();
    }
  }
  co_return missing;
}

}  // namespace sensus::stream
