#include "consumer_internal.hpp"
#include "options_internal.hpp"

#include <algorithm>
#include <utility>

namespace sensus::stream {
namespace {

/// Of the dead stream, which is a copy for people; the table is the record.
constexpr const char* kDeadLengthMax = "10000";

redis::Command render_read(const Options& options, const std::string& consumer,
                           const std::string& key, const std::string& after,
                           std::chrono::milliseconds block) {
  redis::Command command{"XREADGROUP", "GROUP", options.group,
                         consumer,     "COUNT", std::to_string(options.batch)};
  if (after == ">") {
    command.emplace_back("BLOCK");
    command.push_back(std::to_string(std::max<std::int64_t>(block.count(), 1)));
  }
  command.emplace_back("STREAMS");
  command.push_back(key);
  command.push_back(after);
  return command;
}

std::vector<redis::Command> render_pending_lookups(const std::string& key, const std::string& group,
                                                   const std::vector<std::string>& ids) {
  std::vector<redis::Command> commands;
  for (const std::string& id : ids) {
    commands.push_back({"XPENDING", key, group, id, id, "1"});
  }
  return commands;
}

redis::Command render_dead(const std::string& key, const Entry& entry, std::int64_t deliveries,
                           const std::string& reason) {
  redis::Command command{"XADD", dead_key(key), "MAXLEN", "~", kDeadLengthMax, "*"};
  for (std::string& field : render_fields(entry.event)) {
    command.push_back(std::move(field));
  }
  for (const std::string& field :
       {std::string("stream_id"), entry.stream_id, std::string("deliveries"),
        std::to_string(deliveries), std::string("reason"), reason}) {
    command.push_back(field);
  }
  return command;
}

/// `already_gone`: entries that were trimmed before there was a group. Told so, Redis counts the
/// lag right from the start.
redis::Command render_create(const std::string& key, const std::string& group,
                             std::int64_t already_gone) {
  return {"XGROUP", "CREATE",   key,           group,
          "0",      "MKSTREAM", "ENTRIESREAD", std::to_string(already_gone)};
}
redis::Command render_exists(const std::string& key) { return {"EXISTS", key}; }
std::vector<redis::Command> render_look(const std::string& key) {
  return {{"XINFO", "GROUPS", key}, {"XINFO", "STREAM", key}};
}
redis::Command render_groups(const std::string& key) { return {"XINFO", "GROUPS", key}; }
redis::Command render_repair(const std::string& key, const GroupState& group, std::int64_t lost) {
  return {"XGROUP",
          "SETID",
          key,
          group.name,
          group.last_delivered,
          "ENTRIESREAD",
          std::to_string(group.entries_read.value_or(0) + lost)};
}
redis::Command render_claim(const Options& options, const std::string& consumer,
                            const std::string& key, std::chrono::milliseconds idle,
                            const std::string& start) {
  return {"XAUTOCLAIM",
          key,
          options.group,
          consumer,
          std::to_string(idle.count()),
          start,
          "COUNT",
          std::to_string(options.batch)};
}
redis::Command render_ack(const std::string& key, const std::string& group,
                          const std::vector<std::string>& ids) {
  redis::Command command{"XACK", key, group};
  command.insert(command.end(), ids.begin(), ids.end());
  return command;
}

}  // namespace

runtime::Async<redis::Reply> Consumer::Impl::ask(Self self, redis::Command command) {
  const Deadline deadline = self->command_deadline();
  Result<redis::Reply> reply = co_await self->client.command(deadline, std::move(command));
  if (!reply) {
    co_return reply;
  }
  Result<> checked = check_reply(*reply);
  if (!checked) {
    co_return std::move(checked).error();
  }
  co_return reply;
}

runtime::Async<std::optional<std::int64_t>> Consumer::Impl::look_for_group(Self self) {
  std::int64_t already_gone = 0;
  redis::Command exists = render_exists(self->key);
  Result<redis::Reply> there = co_await ask(self, std::move(exists));
  if (!there) {
    co_return std::move(there).error();
  }
  if (there->integer() == nullptr || *there->integer() == 0) {
    co_return std::optional(already_gone);
  }
  std::vector<redis::Command> look = render_look(self->key);
  const Deadline deadline = self->command_deadline();
  Result<std::vector<redis::Reply>> seen =
      co_await self->client.pipeline(deadline, std::move(look));
  if (!seen) {
    co_return std::move(seen).error();
  }
  Result<std::vector<GroupState>> groups = parse_groups((*seen)[0]);
  if (!groups) {
    co_return std::move(groups).error();
  }
  const std::string& own = self->options.group;
  const bool found = std::any_of(groups->begin(), groups->end(),
                                 [&own](const GroupState& group) { return group.name == own; });
  if (found) {
    co_return std::optional<std::int64_t>{};
  }
  already_gone = parse_trimmed((*seen)[1]);
  co_return std::optional(already_gone);
}

/// Looks before it makes: XGROUP CREATE is refused by a full server even where there is nothing to
/// create, and then nobody would drain it.
runtime::Async<> Consumer::Impl::ensure_group(Self self) {
  Result<std::optional<std::int64_t>> absent = co_await look_for_group(self);
  if (!absent) {
    co_return std::move(absent).error();
  }
  if (!*absent) {
    co_return Result<>{};
  }
  redis::Command command = render_create(self->key, self->options.group, **absent);
  const Deadline deadline = self->command_deadline();
  Result<redis::Reply> reply = co_await self->client.command(deadline, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  if (reply->error() != nullptr && reply->error()->text.starts_with("BUSYGROUP")) {
    co_return Result<>{};
  }
  Result<> made = check_reply(*reply);
  if (made) {
    self->note_group_made();
  }
  co_return made;
}

runtime::Async<std::vector<RawEntry>> Consumer::Impl::read_new(Self self,
                                                               std::chrono::milliseconds block) {
  redis::Command command = render_read(self->options, self->consumer, self->key, ">", block);
  const Deadline deadline = Deadline::after(block + self->redis_options.command_timeout);
  Result<redis::Reply> reply = co_await self->client.command(deadline, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  co_return parse_read(std::move(*reply));
}

runtime::Async<std::vector<RawEntry>> Consumer::Impl::read_own(Self self, std::string after) {
  redis::Command command = render_read(self->options, self->consumer, self->key, after, {});
  const Deadline deadline = self->command_deadline();
  Result<redis::Reply> reply = co_await self->client.command(deadline, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  co_return parse_read(std::move(*reply));
}

runtime::Async<std::vector<std::int64_t>> Consumer::Impl::deliveries_of(
    Self self, std::vector<std::string> ids) {
  std::vector<redis::Command> commands =
      render_pending_lookups(self->key, self->options.group, ids);
  const Deadline deadline = self->command_deadline();
  Result<std::vector<redis::Reply>> replies =
      co_await self->client.pipeline(deadline, std::move(commands));
  if (!replies) {
    co_return std::move(replies).error();
  }
  std::vector<std::int64_t> counts;
  for (const redis::Reply& reply : *replies) {
    Result<std::int64_t> count = parse_deliveries(reply);
    if (!count) {
      co_return std::move(count).error();
    }
    counts.push_back(*count);
  }
  co_return counts;
}

runtime::Async<> Consumer::Impl::ack(Self self, std::vector<std::string> ids) {
  if (ids.empty()) {
    co_return Result<>{};
  }
  redis::Command command = render_ack(self->key, self->options.group, ids);
  Result<redis::Reply> reply = co_await ask(self, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  co_return Result<>{};
}

runtime::Async<> Consumer::Impl::add_dead(Self self, Entry entry, std::int64_t deliveries,
                                          std::string reason) {
  redis::Command command = render_dead(self->key, entry, deliveries, reason);
  Result<redis::Reply> reply = co_await ask(self, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  co_return Result<>{};
}

runtime::Async<> Consumer::Impl::claim_stale(Self self, std::chrono::milliseconds idle) {
  std::string start = "0-0";
  do {
    redis::Command command = render_claim(self->options, self->consumer, self->key, idle, start);
    const Deadline deadline = self->command_deadline();
    Result<redis::Reply> reply = co_await self->client.command(deadline, std::move(command));
    if (!reply) {
      co_return std::move(reply).error();
    }
    Result<Claimed> claimed = parse_autoclaim(std::move(*reply));
    if (!claimed) {
      co_return std::move(claimed).error();
    }
    start = claimed->next;
    if (!claimed->deleted.empty()) {
      self->note_lost(static_cast<std::int64_t>(claimed->deleted.size()),
                      "they were trimmed while a consumer worked on them");
    }
    self->instruments.claimed.inc(static_cast<double>(claimed->entries.size()));
    if (!claimed->entries.empty()) {
      Result<> done = co_await process(self, std::move(claimed->entries), Origin::redelivered);
      if (!done) {
        co_return done;
      }
    }
  } while (start != "0-0" && self->is_going());
  co_return Result<>{};
}

runtime::Async<> Consumer::Impl::look_for_loss(Self self) {
  redis::Command command = render_groups(self->key);
  const Deadline deadline = self->command_deadline();
  Result<redis::Reply> reply = co_await self->client.command(deadline, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  Result<std::vector<GroupState>> groups = parse_groups(*reply);
  if (!groups) {
    co_return std::move(groups).error();
  }
  const auto own = std::find_if(groups->begin(), groups->end(), [&self](const GroupState& g) {
    return g.name == self->options.group;
  });
  if (own == groups->end()) {
    co_return make_error(Errc::not_found, "the consumer group is gone");
  }
  const GroupState group = *own;
  const std::int64_t lost = self->losses.saw_nothing(group);
  if (lost == 0) {
    co_return Result<>{};
  }
  self->note_lost(lost, "they were trimmed before they were read");
  // Without this the lag would stay for ever, and be found again at every start.
  redis::Command repair = render_repair(self->key, group, lost);
  Result<redis::Reply> repaired = co_await ask(self, std::move(repair));
  co_return repaired ? Result<>{} : Result<>{repaired.error()};
}

}  // namespace sensus::stream
