#include "relay_internal.hpp"

#include <algorithm>
#include <utility>

namespace sensus::relay {
using namespace std::chrono_literals;

namespace {

/// Rows of one look. The oldest come first, so a long queue of rows that are merely slow hides
/// younger lost ones for a while; a flush, which loses many, is reported by the consumers and goes
/// by topic.
constexpr std::size_t kLookMax = 2000;
constexpr std::size_t kChunk = 500;
constexpr std::chrono::milliseconds kStatsInterval{2000};

std::vector<stream::Publisher::Location> locations_of(
    const std::vector<storage::Outbox::Published>& rows, std::size_t from) {
  std::vector<stream::Publisher::Location> locations;
  for (std::size_t i = from; i < std::min(from + kChunk, rows.size()); ++i) {
    locations.push_back(stream::Publisher::Location{rows[i].topic, rows[i].stream_id});
  }
  return locations;
}

}  // namespace

runtime::Async<> Relay::Impl::refresh_stats(Self self) {
  const Deadline deadline = step_deadline();
  Result<storage::Outbox::Stats> stats = co_await self->outbox.stats(deadline);
  if (!stats) {
    self->note_outbox_failure("stats", stats.error());
    co_return std::move(stats).error();
  }
  self->waiting = stats->pending;
  self->instruments.pending.set(static_cast<double>(stats->pending));
  self->instruments.unfinished.set(static_cast<double>(stats->unfinished));
  self->instruments.oldest_age_s.set(stats->oldest_age_s);
  co_return Result<>{};
}

runtime::Async<> Relay::Impl::republish_topics(Self self) {
  while (!self->topics.empty() && !self->stopping) {
    const model::Topic topic = *self->topics.begin();
    self->topics.erase(self->topics.begin());
    const Deadline deadline = step_deadline();
    Result<std::size_t> count = co_await self->outbox.republish_topic(deadline, topic);
    if (!count) {
      self->topics.insert(topic);
      self->note_outbox_failure("republish_topic", count.error());
      co_return std::move(count).error();
    }
    self->note_republished(*count, "a consumer found its stream or group gone");
  }
  co_return Result<>{};
}

runtime::Async<> Relay::Impl::republish_missing(Self self) {
  const Deadline look_deadline = step_deadline();
  Result<std::vector<storage::Outbox::Published>> rows =
      co_await self->outbox.unfinished(look_deadline, self->options.reconcile_age, kLookMax);
  if (!rows) {
    self->note_outbox_failure("unfinished", rows.error());
    co_return std::move(rows).error();
  }
  for (std::size_t from = 0; from < rows->size() && !self->stopping; from += kChunk) {
    std::vector<stream::Publisher::Location> locations = locations_of(*rows, from);
    const Deadline lookup_deadline = step_deadline();
    Result<std::vector<bool>> missing =
        co_await self->publisher.missing(lookup_deadline, std::move(locations));
    if (!missing) {
      co_return std::move(missing).error();  // Redis is away: the client has said so.
    }
    std::vector<EventId> ids;
    for (std::size_t i = 0; i < missing->size(); ++i) {
      if ((*missing)[i]) {
        ids.push_back((*rows)[from + i].id);
      }
    }
    if (ids.empty()) {
      continue;
    }
    const Deadline republish_deadline = step_deadline();
    Result<std::size_t> count = co_await self->outbox.republish(republish_deadline, std::move(ids));
    if (!count) {
      self->note_outbox_failure("republish", count.error());
      co_return std::move(count).error();
    }
    self->note_republished(*count, "their entries are in no stream any more");
  }
  co_return Result<>{};
}

runtime::Task Relay::Impl::run_reconciler(Self self) {
  auto next_look = std::chrono::steady_clock::now() + self->options.reconcile_interval;
  while (!self->stopping) {
    (void)co_await refresh_stats(self);
    const Result<> topics = co_await republish_topics(self);
    if (std::chrono::steady_clock::now() >= next_look && !self->stopping) {
      (void)co_await republish_missing(self);
      next_look = std::chrono::steady_clock::now() + self->options.reconcile_interval;
    }
    if (self->stopping) {
      break;
    }
    // A topic that could not be republished is tried again soon.
    const Deadline next_stats = Deadline::after(topics ? kStatsInterval : 500ms);
    co_await self->reconcile.wait(min(next_stats, Deadline(next_look)));
  }
}

void Relay::Impl::note_republished(std::size_t count, const char* why) {
  if (count == 0) {
    return;
  }
  instruments.republished.inc(static_cast<double>(count));
  log.warning("events that Redis lost are published again", {{"rows", count}, {"why", why}});
  rows.notify();
}

}  // namespace sensus::relay
