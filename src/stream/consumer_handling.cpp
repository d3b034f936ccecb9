#include "consumer_internal.hpp"

#include "sensus/core/assert.hpp"
#include "sensus/core/utf8.hpp"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace sensus::stream {
using namespace std::chrono_literals;

namespace {

/// Past this count entries are delivered one by one, so that a bad one does not spoil its
/// neighbours' deliveries.
constexpr std::int64_t kAloneAfter = 2;
/// In-memory repetitions of a batch after a time-out, which may be the batch's own fault.
constexpr unsigned kTimeoutRepeats = 3;
constexpr std::size_t kPoisonFieldMax = 4096;

/// An identity for an entry that has none: from its place in the stream, negative so that it never
/// meets an outbox row.
EventId poison_id(const std::string& stream_id) {
  const StreamId id = parse_stream_id(stream_id).value_or(StreamId{});
  return -static_cast<EventId>((id.ms % 4'000'000'000'000'000U) * 1000 + id.seq % 1000) - 1;
}

/// What an entry that cannot be parsed looked like: its fields as JSON, cut, so that any bytes can
/// be kept.
model::Event describe_poison(model::Topic topic, const std::string& stream_id,
                             const redis::Reply& fields) {
  nlohmann::json list = nlohmann::json::array();
  const redis::Reply::Array* parts = fields.array();
  for (std::size_t i = 0; parts != nullptr && i < parts->size() && i < 32; ++i) {
    std::string text = (*parts)[i].text() != nullptr
                           ? (*parts)[i].text()->substr(0, kPoisonFieldMax)
                           : std::string{};
    std::replace(text.begin(), text.end(), '\0', '?');  // jsonb takes no NUL.
    list.push_back(std::move(text));
  }
  model::Event event;
  event.id = poison_id(stream_id);
  event.topic = topic;
  event.type = "poison";
  event.payload = nlohmann::json{{"fields", list}}.dump(-1, ' ', false,
                                                        nlohmann::json::error_handler_t::replace);
  event.created_at =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  return event;
}

std::vector<std::string> ids_of(const std::vector<Entry>& entries) {
  std::vector<std::string> ids;
  for (const Entry& entry : entries) {
    ids.push_back(entry.stream_id);
  }
  return ids;
}

struct Sorted {
  std::vector<Entry> good;
  std::vector<Entry> poison;
  std::vector<std::string> gone;
};

Sorted sort_entries(model::Topic topic, std::vector<RawEntry> raw) {
  Sorted sorted;
  for (RawEntry& one : raw) {
    if (one.fields.is_nil()) {
      sorted.gone.push_back(std::move(one.id));
      continue;
    }
    std::optional<model::Event> event = parse_fields(topic, one.fields);
    if (event) {
      sorted.good.push_back(Entry{std::move(one.id), std::move(*event)});
    } else {
      model::Event poison = describe_poison(topic, one.id, one.fields);
      sorted.poison.push_back(Entry{std::move(one.id), std::move(poison)});
    }
  }
  return sorted;
}

/// Is it the world's fault (try the same batch again, as long as it takes), or may it be the
/// batch's?
bool is_outage(Errc code) {
  return code == Errc::unavailable || code == Errc::overloaded || code == Errc::in_doubt;
}

}  // namespace

runtime::Async<> Consumer::Impl::process(Self self, std::vector<RawEntry> raw, Origin origin) {
  Sorted sorted = sort_entries(self->topic, std::move(raw));
  if (!sorted.gone.empty()) {
    self->note_lost(static_cast<std::int64_t>(sorted.gone.size()),
                    "they were trimmed while this consumer had them pending");
    Result<> forgotten = co_await ack(self, std::move(sorted.gone));
    if (!forgotten) {
      co_return forgotten;
    }
  }
  for (Entry& entry : sorted.poison) {
    std::string reason = "the entry lacks type, data, ts or id, or they are malformed";
    Result<> buried = co_await give_up(self, std::move(entry), 1, std::move(reason));
    if (!buried) {
      co_return buried;
    }
  }
  if (sorted.good.empty()) {
    co_return Result<>{};
  }
  if (origin == Origin::fresh) {
    const Timestamp now =
        std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
    for (const Entry& entry : sorted.good) {
      self->instruments.delay_seconds.observe(
          std::chrono::duration<double>(now - entry.event.created_at).count());
    }
    Result<> delivered = co_await deliver(self, std::move(sorted.good));
    co_return delivered;
  }
  Result<> delivered = co_await deliver_again(self, std::move(sorted.good));
  co_return delivered;
}

runtime::Async<> Consumer::Impl::deliver_again(Self self, std::vector<Entry> entries) {
  std::vector<std::string> ids = ids_of(entries);
  Result<std::vector<std::int64_t>> counts = co_await deliveries_of(self, std::move(ids));
  if (!counts) {
    co_return std::move(counts).error();
  }
  std::vector<Entry> together;
  Result<> step;
  for (std::size_t i = 0; i < entries.size() && step && self->is_going(); ++i) {
    const std::int64_t count = (*counts)[i];
    Entry entry = std::move(entries[i]);
    if (count > self->options.deliveries_max) {
      std::string reason = "given up after " + std::to_string(count - 1) + " deliveries";
      step = co_await give_up(self, std::move(entry), count - 1, std::move(reason));
    } else if (count > kAloneAfter) {
      std::vector<Entry> alone;
      alone.push_back(std::move(entry));
      step = co_await deliver(self, std::move(alone));
    } else if (count > 0) {  // 0: somebody has acknowledged it meanwhile.
      together.push_back(std::move(entry));
    }
  }
  if (step && !together.empty() && self->is_going()) {
    step = co_await deliver(self, std::move(together));
  }
  co_return step;
}

runtime::Async<> Consumer::Impl::deliver(Self self, std::vector<Entry> batch) {
  if (!self->is_held()) {
    co_return Result<>{};  // Its successor takes it over.
  }
  struct InHand {
    Impl& impl;
    ~InHand() { impl.in_hand.clear(); }
  } const guard{*self};
  self->in_hand = ids_of(batch);
  Result<std::vector<Disposition>> dispositions = co_await call_until_reachable(self, batch);
  if (!dispositions) {
    // Stays pending; a bug or a bad entry must not spin.
    self->instruments.failed.inc(static_cast<double>(batch.size()));
    const Deadline pause = Deadline::after(self->stopping ? 0ms : 200ms);
    co_await self->wake.wait(pause);
    co_return Result<>{};
  }
  SENSUS_ASSERT(dispositions->size() == batch.size());
  Result<> settled = co_await settle(self, std::move(batch), std::move(*dispositions));
  co_return settled;
}

runtime::Async<std::vector<Disposition>> Consumer::Impl::call_until_reachable(
    Self self, std::vector<Entry> batch) {
  // The batch is repeated here rather than by Redis, so that an outage of the handler's dependency
  // uses up no deliveries.
  runtime::Backoff backoff(runtime::BackoffOptions{100ms, 5000ms});
  while (true) {
    Result<std::vector<Disposition>> dispositions = co_await call_handler(self, batch);
    if (dispositions) {
      self->trouble.clear();
      co_return dispositions;
    }
    self->note_handler_error(dispositions.error());
    const Errc code = dispositions.error().code;
    const bool again = is_outage(code) || ((code == Errc::timeout || code == Errc::conflict) &&
                                           backoff.attempt() < kTimeoutRepeats);
    if (!again || !self->is_going()) {
      co_return dispositions;
    }
    const Deadline pause = Deadline::after(backoff.next());
    co_await self->wake.wait(pause);
    if (!self->is_going()) {
      co_return dispositions;
    }
  }
}

runtime::Async<std::vector<Disposition>> Consumer::Impl::call_handler(Self self,
                                                                      std::vector<Entry> batch) {
  const auto started = std::chrono::steady_clock::now();
  std::string thrown;
  try {
    Result<std::vector<Disposition>> dispositions = co_await self->handler(std::move(batch));
    self->instruments.handler_seconds.observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    co_return dispositions;
  } catch (const boost::system::system_error& e) {
    if (e.code() == boost::asio::error::operation_aborted) {
      throw;
    }
    thrown = e.what();
  } catch (const std::exception& e) {
    thrown = e.what();
  }
  co_return make_error(Errc::internal, "the handler threw: " + thrown);
}

runtime::Async<> Consumer::Impl::settle(Self self, std::vector<Entry> batch,
                                        std::vector<Disposition> dispositions) {
  std::vector<std::string> done;
  std::vector<Entry> hopeless;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (dispositions[i] == Disposition::ack) {
      done.push_back(std::move(batch[i].stream_id));
    } else if (dispositions[i] == Disposition::dead_letter) {
      hopeless.push_back(std::move(batch[i]));
    } else {
      self->instruments.retried.inc();
    }
  }
  const auto acked = static_cast<double>(done.size());
  Result<> step = co_await ack(self, std::move(done));
  if (step) {
    self->instruments.acked.inc(acked);
  }
  for (std::size_t i = 0; i < hopeless.size() && step; ++i) {
    Entry entry = std::move(hopeless[i]);
    std::string reason = "the handler refused it for good";
    step = co_await give_up(self, std::move(entry), 1, std::move(reason));
  }
  co_return step;
}

runtime::Async<> Consumer::Impl::give_up(Self self, Entry entry, std::int64_t deliveries,
                                         std::string reason) {
  Result<> stored = co_await self->dead_letters(entry, deliveries, reason);
  if (!stored) {
    self->note_handler_error(stored.error());
    self->instruments.failed.inc();
    co_return Result<>{};  // Stays pending, and comes back.
  }
  self->note_dead(entry, deliveries, reason);
  const std::string id = entry.stream_id;
  Result<> copied = co_await add_dead(self, std::move(entry), deliveries, reason);
  if (!copied && copied.error().code != Errc::unavailable) {
    co_return copied;
  }
  // A full Redis refuses the copy but takes the acknowledgement; the table has the entry.
  std::vector<std::string> ids;
  ids.push_back(id);
  Result<> acked = co_await ack(self, std::move(ids));
  co_return acked;
}

void Consumer::Impl::note_lost(std::int64_t count, std::string_view why) {
  instruments.lost.inc(static_cast<double>(count));
  log.error(
      "entries vanished from a stream; they are published again from the outbox. Nothing but "
      "Sensus may trim its streams, and Redis must "
      "not evict.",
      {{"stream", key}, {"entries", count}, {"why", why}});
  on_lost();
}

void Consumer::Impl::note_group_made() {
  instruments.groups_made.inc();
  log.warning(
      "made the consumer group of a stream; unfinished events are published again from the outbox. "
      "Expected at the first start only: "
      "otherwise Redis was flushed or lost its data.",
      {{"stream", key}, {"group", options.group}});
  on_lost();
}

void Consumer::Impl::note_handler_error(const Error& error) {
  trouble = error.message;
  if (!is_going()) {
    return;
  }
  log.throttled(telemetry::LogLevel::warning, key + error.message,
                "entries of a stream cannot be handled now; they stay and are tried again",
                {{"stream", key}, {"error", error.message}, {"code", to_string(error.code)}});
}

void Consumer::Impl::note_dead(const Entry& entry, std::int64_t deliveries,
                               const std::string& reason) {
  instruments.dead.inc();
  log.error("an entry was given up and kept as a dead letter; see the table dead_letters",
            {{"stream", key},
             {"entry", entry.stream_id},
             {"event", entry.event.id},
             {"deliveries", deliveries},
             {"reason", reason}});
}

}  // namespace sensus::stream
