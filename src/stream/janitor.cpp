#include "janitor_internal.hpp"

#include "sensus/runtime/async.hpp"
#include "sensus/stream/consumer.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sensus::stream {
namespace {

constexpr std::array kGroupTopics{model::Topic::metrics, model::Topic::alerts,
                                  model::Topic::explanations};
/// The bound of the events stream should its ids run ahead of the clock, so that age trims nothing.
constexpr const char* kEventsLengthMax = "100000";
/// A consumer with nothing pending that nobody has seen for a day is a name left over by a replica
/// that is gone.
constexpr std::int64_t kConsumerIdleMs = std::int64_t{24} * 3600 * 1000;

struct StreamGauges {
  telemetry::Gauge length;
  telemetry::Gauge lag;
  telemetry::Gauge pending;
  telemetry::Counter trimmed;
};

StreamGauges make_gauges(telemetry::Metrics& metrics, const std::string& stream,
                         const std::string& group) {
  StreamGauges gauges;
  gauges.length =
      metrics.gauge("sensus_stream_length", "Entries in the stream.", {{"stream", stream}});
  gauges.trimmed =
      metrics.counter("sensus_stream_trimmed_total",
                      "Entries removed because every group has done them.", {{"stream", stream}});
  if (!group.empty()) {
    gauges.lag = metrics.gauge("sensus_stream_lag", "Entries the group has not read.",
                               {{"stream", stream}, {"group", group}});
    gauges.pending =
        metrics.gauge("sensus_stream_pending", "Entries the group has read and not acknowledged.",
                      {{"stream", stream}, {"group", group}});
  }
  return gauges;
}

std::vector<redis::Command> render_look(const std::string& key) {
  return {{"XLEN", key}, {"XINFO", "GROUPS", key}};
}
std::vector<redis::Command> render_pending(const std::string& key,
                                           const std::vector<GroupState>& groups) {
  std::vector<redis::Command> commands;
  for (const GroupState& group : groups) {
    commands.push_back({"XPENDING", key, group.name});
  }
  return commands;
}
redis::Command render_trim(const std::string& key, StreamId before) {
  return {"XTRIM", key, "MINID", render_stream_id(before)};
}
std::vector<redis::Command> render_trim_by_age(const std::string& key, std::int64_t before_ms) {
  return {{"XTRIM", key, "MINID", std::to_string(std::max<std::int64_t>(before_ms, 0))},
          {"XTRIM", key, "MAXLEN", "~", kEventsLengthMax},
          {"XLEN", key}};
}
redis::Command render_consumers(const std::string& key, const std::string& group) {
  return {"XINFO", "CONSUMERS", key, group};
}
redis::Command render_delete(const std::string& key, const std::string& group,
                             const std::string& consumer) {
  return {"XGROUP", "DELCONSUMER", key, group, consumer};
}
redis::Command render_info() { return {"INFO", "memory"}; }

double integer_of(const redis::Reply& reply) {
  return reply.integer() != nullptr ? static_cast<double>(*reply.integer()) : 0;
}

/// One janitor. Lives in the frame of run_janitor.
class Janitor {
 public:
  Janitor(redis::Client& client, Options options, const Clock& clock, telemetry::Log log,
          telemetry::Metrics& metrics)
      : client_(client), options_(std::move(options)), clock_(clock), log_(std::move(log)) {
    for (const model::Topic topic : kGroupTopics) {
      gauges_.push_back(make_gauges(metrics, key_of(options_, topic), options_.group));
    }
    events_gauges_ = make_gauges(metrics, options_.events_key, "");
    errors_ = metrics.counter("sensus_stream_janitor_errors_total",
                              "Rounds of the stream janitor that failed.");
  }

  runtime::Task round() {
    Result<> step = co_await check_policy();
    for (std::size_t i = 0; i < kGroupTopics.size() && step; ++i) {
      const std::string key = key_of(options_, kGroupTopics[i]);
      step = co_await tend(key, gauges_[i]);
    }
    if (step) {
      step = co_await trim_events();
    }
    if (!step) {
      note_error(step.error());
    }
  }

 private:
  [[nodiscard]] static Deadline limit() { return Deadline::after(std::chrono::seconds{5}); }

  void note_error(const Error& error) {
    errors_.inc();
    log_.throttled(telemetry::LogLevel::warning, error.message,
                   "streams were not trimmed this time", {{"error", error.message}});
  }

  runtime::Async<> check_policy() {
    if (policy_checked_) {
      co_return Result<>{};
    }
    redis::Command command = render_info();
    const Deadline deadline = limit();
    Result<redis::Reply> reply = co_await client_.command(deadline, std::move(command));
    if (!reply) {
      co_return std::move(reply).error();
    }
    policy_checked_ = true;
    warn_about(reply->text() != nullptr ? eviction_policy(*reply->text()) : std::string{});
    co_return Result<>{};
  }

  void warn_about(const std::string& policy) {
    if (!policy.empty() && policy != "noeviction") {
      log_.warning(
          "Redis may evict streams that are not consumed yet: set maxmemory-policy to noeviction",
          {{"policy", policy}});
    }
  }

  runtime::Async<> tend(std::string key, StreamGauges gauges) {
    std::vector<redis::Command> look = render_look(key);
    const Deadline look_limit = limit();
    Result<std::vector<redis::Reply>> seen = co_await client_.pipeline(look_limit, std::move(look));
    if (!seen) {
      co_return std::move(seen).error();
    }
    Result<std::vector<GroupState>> groups = parse_groups((*seen)[1]);
    if (!groups) {
      co_return std::move(groups).error();
    }
    show(gauges, integer_of((*seen)[0]), *groups);
    // What was delivered since the look has larger ids than what the look says, so the point stays
    // safe.
    std::vector<redis::Command> pending = render_pending(key, *groups);
    const Deadline pending_limit = limit();
    Result<std::vector<redis::Reply>> replies =
        co_await client_.pipeline(pending_limit, std::move(pending));
    if (!replies) {
      co_return std::move(replies).error();
    }
    Result<std::optional<StreamId>> point = find_point(*groups, *replies);
    if (!point || !*point) {
      co_return point ? Result<>{} : Result<>{point.error()};
    }
    redis::Command trim = render_trim(key, **point);
    const Deadline trim_limit = limit();
    Result<redis::Reply> trimmed = co_await client_.command(trim_limit, std::move(trim));
    if (!trimmed) {
      co_return std::move(trimmed).error();
    }
    gauges.trimmed.inc(integer_of(*trimmed));
    gauges.length.add(-integer_of(*trimmed));
    Result<> swept = co_await sweep_consumers(key);
    co_return swept;
  }

  void show(const StreamGauges& gauges, double length,
            const std::vector<GroupState>& groups) const {
    gauges.length.set(length);
    for (const GroupState& group : groups) {
      if (group.name == options_.group) {
        gauges.pending.set(static_cast<double>(group.pending));
        gauges.lag.set(static_cast<double>(group.lag.value_or(0)));
      }
    }
  }

  static Result<std::optional<StreamId>> find_point(const std::vector<GroupState>& groups,
                                                    const std::vector<redis::Reply>& pending) {
    std::vector<GroupProgress> progress;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      GroupProgress one;
      one.last_delivered = parse_stream_id(groups[i].last_delivered).value_or(StreamId{});
      SENSUS_TRY(one.least_pending, parse_least_pending(pending[i]));
      progress.push_back(one);
    }
    return trim_point(progress);
  }

  runtime::Async<> sweep_consumers(std::string key) {
    redis::Command look = render_consumers(key, options_.group);
    const Deadline deadline = limit();
    Result<redis::Reply> reply = co_await client_.command(deadline, std::move(look));
    if (!reply) {
      co_return std::move(reply).error();
    }
    Result<std::vector<std::string>> idle = parse_idle_consumers(*reply, kConsumerIdleMs);
    for (std::size_t i = 0; idle && i < idle->size(); ++i) {
      redis::Command command = render_delete(key, options_.group, (*idle)[i]);
      const Deadline delete_limit = limit();
      (void)co_await client_.command(delete_limit, std::move(command));
    }
    co_return Result<>{};
  }

  runtime::Async<> trim_events() {
    const std::int64_t before = to_unix_us(clock_.now()) / 1000 - options_.events_retention.count();
    std::vector<redis::Command> commands = render_trim_by_age(options_.events_key, before);
    const Deadline deadline = limit();
    Result<std::vector<redis::Reply>> replies =
        co_await client_.pipeline(deadline, std::move(commands));
    if (!replies) {
      co_return std::move(replies).error();
    }
    events_gauges_.trimmed.inc(integer_of((*replies)[0]) + integer_of((*replies)[1]));
    events_gauges_.length.set(integer_of((*replies)[2]));
    co_return Result<>{};
  }

  redis::Client& client_;
  Options options_;
  const Clock& clock_;
  telemetry::Log log_;
  std::vector<StreamGauges> gauges_;
  StreamGauges events_gauges_;
  telemetry::Counter errors_;
  bool policy_checked_ = false;
};

}  // namespace

std::optional<StreamId> trim_point(const std::vector<GroupProgress>& groups) {
  std::optional<StreamId> least;
  for (const GroupProgress& group : groups) {
    const StreamId own =
        std::min(group.last_delivered, group.least_pending.value_or(group.last_delivered));
    least = least ? std::min(*least, own) : own;
  }
  return least;
}

std::string eviction_policy(std::string_view info) {
  constexpr std::string_view kName = "maxmemory_policy:";
  const std::size_t at = info.find(kName);
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view rest = info.substr(at + kName.size());
  return std::string(rest.substr(0, rest.find_first_of("\r\n")));
}

runtime::Task run_janitor(redis::Client& client, Options options, const Clock& clock,
                          telemetry::Log log, telemetry::Metrics& metrics,
                          std::chrono::milliseconds interval) {
  Janitor janitor(client, std::move(options), clock, std::move(log), metrics);
  while (true) {
    const bool connected = client.connected();
    if (connected) {
      co_await janitor.round();
    }
    const Duration pause =
        connected ? interval
                  : std::min<std::chrono::milliseconds>(interval, std::chrono::seconds{1});
    Result<> slept = co_await runtime::sleep(pause);
    if (!slept) {
      co_return;
    }
  }
}

}  // namespace sensus::stream
