#include "sensus/relay/relay.hpp"

#include "relay_internal.hpp"

#include <algorithm>
#include <utility>

namespace sensus::relay {
using namespace std::chrono_literals;

namespace {

std::vector<EventId> ids_of(const std::vector<model::Event>& events) {
  std::vector<EventId> ids;
  ids.reserve(events.size());
  for (const model::Event& event : events) {
    ids.push_back(event.id);
  }
  return ids;
}

std::vector<storage::Outbox::Published> pair_up(
    const std::vector<std::pair<EventId, model::Topic>>& rows,
    std::vector<std::string> stream_ids) {
  std::vector<storage::Outbox::Published> published;
  published.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    published.push_back(
        storage::Outbox::Published{rows[i].first, rows[i].second, std::move(stream_ids[i])});
  }
  return published;
}

std::vector<std::pair<EventId, model::Topic>> keys_of(const std::vector<model::Event>& events) {
  std::vector<std::pair<EventId, model::Topic>> keys;
  keys.reserve(events.size());
  for (const model::Event& event : events) {
    keys.emplace_back(event.id, event.topic);
  }
  return keys;
}

}  // namespace

RelayInstruments::RelayInstruments(telemetry::Metrics& metrics)
    : pending(metrics.gauge("sensus_outbox_pending", "Outbox rows not published yet.")),
      unfinished(metrics.gauge("sensus_outbox_unfinished",
                               "Outbox rows published whose effect is not committed yet.")),
      oldest_age_s(metrics.gauge("sensus_outbox_oldest_age_seconds",
                                 "Age of the oldest outbox row not published yet.")),
      published(metrics.counter("sensus_outbox_published_total", "Outbox rows published.")),
      republished(
          metrics.counter("sensus_outbox_republished_total",
                          "Outbox rows made ready to be published again because Redis lost them.")),
      publish_errors(
          metrics.counter("sensus_relay_publish_errors_total", "Batches that Redis did not take.")),
      outbox_errors(
          metrics.counter("sensus_relay_outbox_errors_total", "Failed statements on the outbox.")),
      publish_seconds(metrics.histogram("sensus_relay_publish_seconds",
                                        "Time to publish one batch to Redis.",
                                        telemetry::latency_buckets())) {}

runtime::Async<std::size_t> Relay::Impl::step(Self self) {
  const Deadline claim_deadline = step_deadline();
  Result<std::vector<model::Event>> claimed = co_await self->outbox.claim(
      claim_deadline, static_cast<std::size_t>(self->options.batch), self->options.lease);
  if (!claimed) {
    self->note_outbox_failure("claim", claimed.error());
    co_return std::move(claimed).error();
  }
  self->outbox_trouble.clear();
  if (claimed->empty()) {
    self->redis_trouble.clear();
    self->waiting = 0;
    co_return std::size_t{0};
  }
  const std::vector<std::pair<EventId, model::Topic>> keys = keys_of(*claimed);
  std::vector<EventId> ids = ids_of(*claimed);
  const auto started = std::chrono::steady_clock::now();
  const Deadline publish_deadline = step_deadline();
  Result<std::vector<std::string>> stream_ids =
      co_await self->publisher.publish(publish_deadline, std::move(*claimed));
  if (!stream_ids) {
    self->note_publish_failure(stream_ids.error(), keys.size());
    (void)co_await give_back(self, std::move(ids), 0ms);
    co_return std::move(stream_ids).error();
  }
  self->instruments.publish_seconds.observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  self->instruments.published.inc(static_cast<double>(keys.size()));
  self->redis_trouble.clear();
  std::vector<storage::Outbox::Published> published = pair_up(keys, std::move(*stream_ids));
  const Deadline mark_deadline = step_deadline();
  Result<> marked = co_await self->outbox.mark_published(mark_deadline, std::move(published));
  if (!marked) {
    // They are in Redis. Unmarked, they are published again when the lease ends: twice is allowed,
    // never is not.
    self->note_outbox_failure("mark_published", marked.error());
    co_return std::move(marked).error();
  }
  co_return keys.size();
}

runtime::Async<> Relay::Impl::give_back(Self self, std::vector<EventId> ids,
                                        std::chrono::milliseconds retry_after) {
  const Deadline deadline = step_deadline();
  Result<> released = co_await self->outbox.release(deadline, std::move(ids), retry_after);
  if (!released) {
    self->note_outbox_failure("release", released.error());
  }
  co_return released;
}

runtime::Task Relay::Impl::run(Self self) {
  runtime::Backoff backoff(runtime::BackoffOptions{50ms, 1000ms});
  while (!self->stopping) {
    Result<std::size_t> moved = co_await step(self);
    if (self->stopping) {
      break;
    }
    if (!moved) {
      // New rows do not cut this short: whatever failed would fail for them too.
      const Deadline end = Deadline::after(backoff.next());
      while (!end.expired() && !self->stopping) {
        co_await self->rows.wait(end);
      }
      continue;
    }
    backoff.reset();
    if (*moved == 0) {
      const Deadline poll = Deadline::after(self->options.poll_interval);
      co_await self->rows.wait(poll);
    }
  }
}

void Relay::Impl::note_publish_failure(const Error& error, std::size_t count) {
  instruments.publish_errors.inc();
  redis_trouble = error.message;
  waiting = std::max(waiting, static_cast<std::int64_t>(count));
  log.throttled(
      telemetry::LogLevel::warning, "publish",
      "Redis does not take events; they wait in the outbox and nothing is lost. Check Redis.",
      {{"rows", count}, {"error", error.message}});
}

void Relay::Impl::note_outbox_failure(const char* what, const Error& error) {
  instruments.outbox_errors.inc();
  outbox_trouble = error.message;
  log.throttled(telemetry::LogLevel::warning, what,
                "a statement on the outbox failed; it is tried again. Check PostgreSQL.",
                {{"statement", what}, {"error", error.message}});
}

Relay::Relay(runtime::Executor executor, storage::Outbox& outbox, stream::Publisher& publisher,
             Options options, telemetry::Log log, telemetry::Metrics& metrics)
    : impl_(std::make_shared<Impl>(executor, outbox, publisher, options, std::move(log), metrics)) {
}
Relay::~Relay() = default;

runtime::Task Relay::run() { return Impl::run(impl_); }
runtime::Task Relay::run_reconciler() { return Impl::run_reconciler(impl_); }
void Relay::wake() { impl_->rows.notify(); }

void Relay::republish(model::Topic topic) {
  impl_->topics.insert(topic);
  impl_->reconcile.notify();
}

void Relay::stop() {
  impl_->stopping = true;
  impl_->rows.notify();
  impl_->reconcile.notify();
}

telemetry::HealthReport Relay::health() const {
  if (!impl_->redis_trouble.empty()) {
    return {telemetry::HealthState::degraded,
            "Redis does not take events, " + std::to_string(impl_->waiting) +
                " wait in the outbox and analysis stands still: " + impl_->redis_trouble};
  }
  if (!impl_->outbox_trouble.empty()) {
    return {telemetry::HealthState::degraded,
            "the outbox cannot be read or written: " + impl_->outbox_trouble};
  }
  return {};
}

}  // namespace sensus::relay
