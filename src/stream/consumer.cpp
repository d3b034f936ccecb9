#include "sensus/stream/consumer.hpp"

#include "consumer_internal.hpp"
#include "options_internal.hpp"

#include "sensus/core/assert.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace sensus::stream {
namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

const std::vector<double>& handler_buckets() {
  static const std::vector<double> buckets{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                           1,     2.5,   5,    10,    30,   60,  120,  300};
  return buckets;
}

}  // namespace

ConsumerInstruments::ConsumerInstruments(telemetry::Metrics& metrics, std::string_view stream)
    : acked(metrics.counter("sensus_stream_entries_total",
                            "Entries handed to a handler, by outcome.",
                            {{"stream", stream}, {"outcome", "acked"}})),
      retried(metrics.counter("sensus_stream_entries_total",
                              "Entries handed to a handler, by outcome.",
                              {{"stream", stream}, {"outcome", "retried"}})),
      failed(metrics.counter("sensus_stream_entries_total",
                             "Entries handed to a handler, by outcome.",
                             {{"stream", stream}, {"outcome", "failed"}})),
      dead(metrics.counter("sensus_stream_entries_total",
                           "Entries handed to a handler, by outcome.",
                           {{"stream", stream}, {"outcome", "dead_letter"}})),
      claimed(metrics.counter("sensus_stream_claimed_total",
                              "Entries taken over after they were idle for claim_idle.",
                              {{"stream", stream}})),
      lost(metrics.counter(
          "sensus_stream_lost_entries_total",
          "Entries that vanished from the stream before their effect was committed.",
          {{"stream", stream}})),
      groups_made(metrics.counter("sensus_stream_group_recreated_total",
                                  "Times the consumer group was missing and was made.",
                                  {{"stream", stream}})),
      handler_seconds(metrics.histogram("sensus_stream_handler_seconds",
                                        "Time a handler took for one batch.", handler_buckets(),
                                        {{"stream", stream}})),
      delay_seconds(metrics.histogram("sensus_stream_delivery_delay_seconds",
                                      "From the event to its first delivery to a handler.",
                                      handler_buckets(), {{"stream", stream}})) {}

Consumer::Impl::Impl(Deps deps, Options o, model::Topic t, Handler h, DeadLetterSink d,
                     std::function<void()> l)
    : executor(deps.executor),
      redis_options(deps.redis),
      log(deps.log),
      options(std::move(o)),
      topic(t),
      key(key_of(options, t)),
      consumer(consumer_name(options)),
      handler(std::move(h)),
      dead_letters(std::move(d)),
      on_lost(std::move(l)),
      holds(std::move(deps.holds)),
      instruments(deps.metrics, key),
      client(executor, "consumer-" + std::string(model::to_string(t)), deps.redis, deps.log,
             deps.metrics),
      wake(executor),
      keeper_wake(executor),
      children_done(executor),
      parked_now(executor),
      active(!holds) {
  SENSUS_ASSERT(model::has_group(t));
}

std::chrono::milliseconds Consumer::Impl::claim_interval() const {
  return std::clamp<std::chrono::milliseconds>(options.claim_idle / 4, 25ms, 15s);
}

runtime::Task Consumer::Impl::run(Self self) {
  struct Guard {
    Impl& impl;
    ~Guard() {
      impl.finished = true;
      impl.park();
      impl.client.stop();
      impl.keeper_wake.notify();
    }
  };
  auto child_done = [self](const std::exception_ptr& failure) {
    if (failure) {
      self->log.error("a part of a stream consumer died; this is a bug, please report it",
                      {{"stream", self->key}});
    }
    --self->children;
    self->children_done.notify();
  };
  self->children = 2;
  asio::co_spawn(self->executor, self->client.run(), child_done);
  asio::co_spawn(self->executor, keep_in_hand(self), child_done);
  {
    const Guard guard{*self};
    runtime::Backoff backoff(runtime::BackoffOptions{50ms, 2000ms});
    while (!self->stopping) {
      self->park();
      if (!self->is_going()) {
        const Deadline later = Deadline::after(1s);
        co_await self->wake.wait(later);
        continue;
      }
      if (!self->client.connected()) {
        const Deadline soon = Deadline::after(20ms);
        co_await self->wake.wait(soon);
        continue;
      }
      const auto started = std::chrono::steady_clock::now();
      self->parked = false;
      Result<> ended = co_await session(self);
      if (ended || self->stopping) {
        continue;
      }
      if (std::chrono::steady_clock::now() - started > 10s) {
        backoff.reset();
      }
      self->note_session_error(ended.error());
      // A missing group is made at once; only when that repeats does it wait.
      if (ended.error().code != Errc::not_found || backoff.attempt() > 2) {
        const Deadline pause = Deadline::after(backoff.next());
        co_await self->wake.wait(pause);
      } else {
        (void)backoff.next();
      }
    }
    (void)co_await leave_group(self);
  }
  while (self->children > 0) {
    const Deadline limit = Deadline::after(2s);
    const bool changed = co_await self->children_done.wait(limit);
    if (!changed) {
      break;
    }
  }
}

/// A handler may take minutes (an LLM). Without this a peer would claim what it works on.
runtime::Task Consumer::Impl::keep_in_hand(Self self) {
  while (!self->finished) {
    const Deadline next =
        Deadline::after(std::max<std::chrono::milliseconds>(self->options.claim_idle / 3, 10ms));
    co_await self->keeper_wake.wait(next);
    // One that is not the holder any more must not take them from its successor.
    if (self->finished || self->in_hand.empty() || !self->client.connected() || !self->is_held()) {
      continue;
    }
    redis::Command command;
    for (const char* word :
         {"XCLAIM", self->key.c_str(), self->options.group.c_str(), self->consumer.c_str(), "0"}) {
      command.emplace_back(word);
    }
    command.insert(command.end(), self->in_hand.begin(), self->in_hand.end());
    command.emplace_back("JUSTID");
    (void)co_await ask(self, std::move(command));
  }
}

runtime::Async<> Consumer::Impl::session(Self self) {
  Result<> step = co_await ensure_group(self);
  if (step && self->is_exclusive()) {
    step = co_await claim_stale(self, 0ms);
  } else if (step) {
    step = co_await drain_own(self);
  }
  // A read that blocks is the time that handing over takes.
  const std::chrono::milliseconds block =
      self->is_exclusive() ? std::min<std::chrono::milliseconds>(self->options.block, 1s) : self->options.block;
  auto next_claim = std::chrono::steady_clock::now() + (self->is_exclusive() ? self->claim_interval() : 0ms);
  while (step && self->is_going()) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_claim) {
      step = co_await claim_stale(self, self->options.claim_idle);
      next_claim = std::chrono::steady_clock::now() + self->claim_interval();
      continue;
    }
    const auto until_claim =
        std::chrono::duration_cast<std::chrono::milliseconds>(next_claim - now) + 1ms;
    Result<std::vector<RawEntry>> entries =
        co_await read_new(self, std::min(block, until_claim));
    if (!entries) {
      co_return std::move(entries).error();
    }
    if (entries->empty()) {
      step = co_await look_for_loss(self);
    } else {
      self->losses.saw_entries();
      step = co_await process(self, std::move(*entries), Origin::fresh);
    }
  }
  co_return step;
}

runtime::Async<> Consumer::Impl::drain_own(Self self) {
  std::string after = "0";
  while (self->is_going()) {
    Result<std::vector<RawEntry>> entries = co_await read_own(self, after);
    if (!entries) {
      co_return std::move(entries).error();
    }
    if (entries->empty()) {
      break;
    }
    after = entries->back().id;
    Result<> done = co_await process(self, std::move(*entries), Origin::redelivered);
    if (!done) {
      co_return done;
    }
  }
  co_return Result<>{};
}

runtime::Async<> Consumer::Impl::leave_group(Self self) {
  if (!self->options.consumer.empty() || !self->client.connected()) {
    co_return Result<>{};
  }
  // Deleting a consumer deletes what it has pending; then its successor shall claim that.
  Result<std::vector<RawEntry>> left = co_await read_own(self, "0");
  if (!left || !left->empty()) {
    co_return Result<>{};
  }
  redis::Command command;
  for (const char* word : {"XGROUP", "DELCONSUMER", self->key.c_str(), self->options.group.c_str(),
                           self->consumer.c_str()}) {
    command.emplace_back(word);
  }
  Result<redis::Reply> deleted = co_await ask(self, std::move(command));
  co_return deleted ? Result<>{} : Result<>{deleted.error()};
}

void Consumer::Impl::park() {
  parked = true;
  parked_now.notify();
}

runtime::Async<> Consumer::Impl::wait_parked(Self self, Deadline deadline) {
  while (!self->parked) {
    const bool notified = co_await self->parked_now.wait(deadline);
    if (!notified && !self->parked) {
      co_return make_error(Errc::timeout, "the consumer of " + self->key + " was busy for too long");
    }
  }
  co_return Result<>{};
}

void Consumer::Impl::note_session_error(const Error& error) {
  if (error.code == Errc::unavailable && !client.connected()) {
    return;  // The client says it, once.
  }
  log.throttled(telemetry::LogLevel::warning, key + error.message,
                "reading a stream failed; it is tried again",
                {{"stream", key}, {"error", error.message}});
}

Consumer::Consumer(Deps deps, Options options, model::Topic topic, Handler handler,
                   DeadLetterSink dead_letters, std::function<void()> on_lost)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options), topic, std::move(handler),
                                   std::move(dead_letters), std::move(on_lost))) {}
Consumer::~Consumer() = default;

runtime::Task Consumer::run() { return Impl::run(impl_); }

void Consumer::stop() {
  impl_->stopping = true;
  impl_->wake.notify();
}

void Consumer::set_active(bool active) {
  impl_->active = active;
  impl_->wake.notify();
}

runtime::Async<> Consumer::wait_parked(Deadline deadline) {
  return Impl::wait_parked(impl_, deadline);
}

telemetry::HealthReport Consumer::health() const {
  telemetry::HealthReport report = impl_->client.health();
  if (report.state == telemetry::HealthState::ok && !impl_->trouble.empty()) {
    return {telemetry::HealthState::degraded,
            "entries of " + impl_->key + " cannot be handled and wait: " + impl_->trouble};
  }
  return report;
}

}  // namespace sensus::stream
