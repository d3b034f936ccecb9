#include "sensus/stream/live_feed.hpp"

#include "feed_queue_internal.hpp"
#include "replies_internal.hpp"

#include "sensus/runtime/signal.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <exception>
#include <limits>
#include <utility>

namespace sensus::stream {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSubscribersMax = 256;
constexpr std::size_t kQueueMax = 1000;
constexpr std::size_t kPage = 200;

struct Subscriber {
  Subscriber(const runtime::Executor& executor, std::optional<StreamId> after)
      : queue(kQueueMax, after), changed(executor) {}
  FeedQueue queue;
  runtime::Signal changed;
};

redis::Command render_read(const std::string& key, StreamId after,
                           std::chrono::milliseconds block) {
  return {"XREAD",
          "COUNT",
          "500",
          "BLOCK",
          std::to_string(std::max<std::int64_t>(block.count(), 1)),
          "STREAMS",
          key,
          render_stream_id(after)};
}
redis::Command render_info(const std::string& key) { return {"XINFO", "STREAM", key}; }
redis::Command render_page(const std::string& key, StreamId after) {
  return {"XRANGE", key, "(" + render_stream_id(after), "+", "COUNT", std::to_string(kPage)};
}

std::vector<Entry> parse_all(std::vector<RawEntry> raw) {
  std::vector<Entry> entries;
  for (RawEntry& one : raw) {
    if (std::optional<model::Event> event = parse_fields(model::Topic::events, one.fields)) {
      entries.push_back(Entry{std::move(one.id), std::move(*event)});
    }
  }
  return entries;
}

}  // namespace

struct LiveFeed::Impl {
  using Self = std::shared_ptr<Impl>;
  Impl(Deps deps, Options o)
      : executor(deps.executor),
        timeout(deps.redis.command_timeout),
        log(deps.log),
        options(std::move(o)),
        tail(executor, "live-feed", deps.redis, deps.log, deps.metrics),
        history(executor, "live-feed-history", deps.redis, deps.log, deps.metrics),
        wake(executor),
        children_done(executor),
        count(deps.metrics.gauge("sensus_stream_subscribers", "Readers of the live feed.")),
        dropped(
            deps.metrics.counter("sensus_stream_subscribers_dropped_total",
                                 "Readers of the live feed closed because they were too slow.")),
        fanned_out(deps.metrics.counter("sensus_stream_feed_entries_total",
                                        "Entries read for the live feed.")) {}

  static runtime::Task run(Self self);
  static runtime::Async<> read_tail(Self self);
  static runtime::Async<> find_position(Self self);
  static runtime::Async<std::vector<Entry>> next(Self self, std::shared_ptr<Subscriber> subscriber,
                                                 Deadline deadline);
  static runtime::Async<std::vector<Entry>> replay(Self self,
                                                   std::shared_ptr<Subscriber> subscriber,
                                                   Deadline deadline);
  static runtime::Async<> check_cursor(Self self, std::shared_ptr<Subscriber> subscriber,
                                       Deadline deadline);
  static runtime::Async<std::unique_ptr<Subscription>> subscribe(
      Self self, std::optional<std::string> last_event_id);

  void fan_out(std::vector<RawEntry> raw);
  void close_all();
  void remove(const std::shared_ptr<Subscriber>& subscriber);

  runtime::Executor executor;
  std::chrono::milliseconds timeout;
  telemetry::Log log;
  Options options;
  redis::Client tail;     ///< Always inside a blocking read.
  redis::Client history;  ///< For replays.
  runtime::Signal wake;
  runtime::Signal children_done;
  telemetry::Gauge count;
  telemetry::Counter dropped;
  telemetry::Counter fanned_out;
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  std::optional<StreamId> position;  ///< Last entry fanned out.
  int children = 0;
  bool stopping = false;
};

namespace {

/// Leaves the feed when destroyed.
template <class Impl>
class FeedSubscription final : public LiveFeed::Subscription {
 public:
  FeedSubscription(std::shared_ptr<Impl> feed, std::shared_ptr<Subscriber> subscriber)
      : feed_(std::move(feed)), subscriber_(std::move(subscriber)) {}
  ~FeedSubscription() override { feed_->remove(subscriber_); }
  FeedSubscription(const FeedSubscription&) = delete;
  FeedSubscription& operator=(const FeedSubscription&) = delete;
  runtime::Async<std::vector<Entry>> next(Deadline deadline) override {
    return Impl::next(feed_, subscriber_, deadline);
  }

 private:
  std::shared_ptr<Impl> feed_;
  std::shared_ptr<Subscriber> subscriber_;
};

}  // namespace

runtime::Async<std::unique_ptr<LiveFeed::Subscription>> LiveFeed::Impl::subscribe(
    Self self, std::optional<std::string> last_event_id) {
  std::optional<StreamId> after;
  if (last_event_id) {
    after = parse_stream_id(*last_event_id);
    if (!after || after->ms == std::numeric_limits<std::uint64_t>::max()) {
      co_return make_error(Errc::invalid_input,
                           "must be an event id of this feed, such as 1795167960674-0",
                           "Last-Event-ID");
    }
  }
  if (self->stopping) {
    co_return make_error(Errc::unavailable, "the live feed is stopping");
  }
  if (self->subscribers.size() >= kSubscribersMax) {
    co_return make_error(Errc::overloaded, "the live feed has its most readers (" +
                                               std::to_string(kSubscribersMax) + ")");
  }
  auto subscriber = std::make_shared<Subscriber>(self->executor, after);
  self->subscribers.push_back(subscriber);
  self->count.set(static_cast<double>(self->subscribers.size()));
  std::unique_ptr<Subscription> subscription =
      std::make_unique<FeedSubscription<Impl>>(self, subscriber);
  co_return subscription;
}

void LiveFeed::Impl::remove(const std::shared_ptr<Subscriber>& subscriber) {
  std::erase(subscribers, subscriber);
  count.set(static_cast<double>(subscribers.size()));
}

runtime::Async<std::vector<Entry>> LiveFeed::Impl::next(Self self,
                                                        std::shared_ptr<Subscriber> subscriber,
                                                        Deadline deadline) {
  while (true) {
    if (self->stopping || subscriber->queue.overflowed()) {
      co_return make_error(Errc::unavailable,
                           self->stopping ? "the live feed is stopping"
                                          : "the reader is too slow; come back with Last-Event-ID");
    }
    if (subscriber->queue.replaying()) {
      Result<std::vector<Entry>> page = co_await replay(self, subscriber, deadline);
      if (page && !page->empty()) {
        co_return page;
      }
      if (page) {
        continue;
      }
      // Redis is away: the reader sees heartbeats meanwhile.
      const Deadline pause = min(deadline, Deadline::after(500ms));
      co_await subscriber->changed.wait(pause);
      if (deadline.expired()) {
        co_return std::vector<Entry>{};
      }
      continue;
    }
    std::vector<Entry> entries = subscriber->queue.take();
    if (!entries.empty()) {
      co_return entries;
    }
    const bool woken = co_await subscriber->changed.wait(deadline);
    if (!woken) {
      co_return std::vector<Entry>{};
    }
  }
}

runtime::Async<std::vector<Entry>> LiveFeed::Impl::replay(Self self,
                                                          std::shared_ptr<Subscriber> subscriber,
                                                          Deadline deadline) {
  redis::Command command = render_page(self->options.events_key, subscriber->queue.cursor());
  Result<redis::Reply> reply = co_await self->history.command(deadline, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  Result<std::vector<RawEntry>> raw = parse_entries(std::move(*reply));
  if (!raw) {
    co_return std::move(raw).error();
  }
  if (raw->empty()) {
    Result<> checked = co_await check_cursor(self, subscriber, deadline);
    if (!checked) {
      co_return std::move(checked).error();
    }
  }
  const std::optional<StreamId> last =
      raw->empty() ? std::nullopt : parse_stream_id(raw->back().id);
  subscriber->queue.replayed(last, raw->size() < kPage);
  co_return parse_all(std::move(*raw));
}

runtime::Async<> LiveFeed::Impl::check_cursor(Self self, std::shared_ptr<Subscriber> subscriber,
                                              Deadline deadline) {
  redis::Command command = render_info(self->options.events_key);
  Result<redis::Reply> reply = co_await self->history.command(deadline, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  Result<std::optional<StreamId>> end = parse_last_generated(*reply);
  if (!end) {
    co_return std::move(end).error();
  }
  subscriber->queue.stream_ends_at(end->value_or(StreamId{}));
  co_return Result<>{};
}

runtime::Async<> LiveFeed::Impl::find_position(Self self) {
  redis::Command command = render_info(self->options.events_key);
  const Deadline deadline = Deadline::after(self->timeout);
  Result<redis::Reply> reply = co_await self->tail.command(deadline, std::move(command));
  if (!reply) {
    co_return std::move(reply).error();
  }
  Result<std::optional<StreamId>> last = parse_last_generated(*reply);
  if (!last) {
    co_return std::move(last).error();
  }
  const StreamId end = last->value_or(StreamId{});
  if (!self->position) {
    self->position = end;
  } else if (last->has_value() && end < *self->position) {
    // The stream was flushed and begun again on a clock that is behind.
    self->position = StreamId{};
  }
  co_return Result<>{};
}

runtime::Async<> LiveFeed::Impl::read_tail(Self self) {
  Result<> found = co_await find_position(self);
  while (found && !self->stopping) {
    redis::Command command =
        render_read(self->options.events_key, *self->position, self->options.block);
    const Deadline deadline = Deadline::after(self->options.block + self->timeout);
    Result<redis::Reply> reply = co_await self->tail.command(deadline, std::move(command));
    if (!reply) {
      co_return std::move(reply).error();
    }
    Result<std::vector<RawEntry>> raw = parse_read(std::move(*reply));
    if (!raw) {
      co_return std::move(raw).error();
    }
    if (raw->empty()) {
      found = co_await find_position(self);
    } else {
      self->fan_out(std::move(*raw));
    }
  }
  co_return found;
}

void LiveFeed::Impl::fan_out(std::vector<RawEntry> raw) {
  position = parse_stream_id(raw.back().id).value_or(*position);
  const std::vector<Entry> entries = parse_all(std::move(raw));
  fanned_out.inc(static_cast<double>(entries.size()));
  for (const std::shared_ptr<Subscriber>& subscriber : subscribers) {
    const bool was_well = !subscriber->queue.overflowed();
    for (const Entry& entry : entries) {
      subscriber->queue.push(parse_stream_id(entry.stream_id).value_or(StreamId{}), entry);
    }
    if (was_well && subscriber->queue.overflowed()) {
      dropped.inc();
      log.throttled(telemetry::LogLevel::warning, "subscriber_dropped",
                    "a reader of the live feed was too slow and is cut off; it can come back with Last-Event-ID");
    }
    subscriber->changed.notify();
  }
}

void LiveFeed::Impl::close_all() {
  for (const std::shared_ptr<Subscriber>& subscriber : subscribers) {
    subscriber->changed.notify();
  }
}

runtime::Task LiveFeed::Impl::run(Self self) {
  struct Guard {
    Impl& impl;
    ~Guard() {
      impl.stopping = true;
      impl.tail.stop();
      impl.history.stop();
      impl.close_all();
    }
  };
  auto child_done = [self](const std::exception_ptr& failure) {
    if (failure) {
      self->log.error("a part of the live feed died; this is a bug, please report it");
    }
    --self->children;
    self->children_done.notify();
  };
  self->children = 2;
  asio::co_spawn(self->executor, self->tail.run(), child_done);
  asio::co_spawn(self->executor, self->history.run(), child_done);
  {
    const Guard guard{*self};
    while (!self->stopping) {
      if (self->tail.connected()) {
        (void)co_await read_tail(self);
      }
      const Deadline pause = Deadline::after(50ms);
      co_await self->wake.wait(pause);
    }
  }
  while (self->children > 0) {
    const Deadline limit = Deadline::after(2s);
    const bool changed = co_await self->children_done.wait(limit);
    if (!changed) {
      break;
    }
  }
}

LiveFeed::LiveFeed(Deps deps, Options options)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options))) {}
LiveFeed::~LiveFeed() { stop(); }

runtime::Async<std::unique_ptr<LiveFeed::Subscription>> LiveFeed::subscribe(
    Deadline, std::optional<std::string> last_event_id) {
  return Impl::subscribe(impl_, std::move(last_event_id));
}
runtime::Task LiveFeed::run() { return Impl::run(impl_); }

void LiveFeed::stop() {
  impl_->stopping = true;
  impl_->tail.stop();
  impl_->history.stop();
  impl_->wake.notify();
  impl_->close_all();
}

}  // namespace sensus::stream
