#include "ingestor_internal.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace asio = boost::asio;

namespace sensus::ingest {
namespace {

constexpr Duration kTick = std::chrono::seconds{1};
// About 5 ms of the reactor.
constexpr std::size_t kVisitsPerTurn = 20'000;
constexpr std::size_t kRebuildPage = 20'000;  // As many as are restored in one turn.
constexpr std::size_t kRebuildPageMax = 5'000'000;
// The window of a page shrinks and grows so that it holds about a page: its cost is what it holds, not what is returned.
constexpr std::chrono::microseconds kSliceMin = std::chrono::milliseconds{1};
constexpr std::chrono::microseconds kSliceMax = std::chrono::minutes{1};
// Reads the whole table of series, for what other replicas see.
constexpr Duration kCountEvery = std::chrono::minutes{5};
constexpr Duration kCountRetry = std::chrono::seconds{10};
constexpr Duration kRulesEvery = std::chrono::seconds{5};
constexpr std::size_t kRulePage = 5'000;
constexpr SeriesId kLookBack = 1'000;
constexpr Duration kReadTimeout = std::chrono::seconds{5};

}  // namespace

runtime::Task Ingestor::Impl::run(std::shared_ptr<Impl> self) {
  const auto executor = co_await asio::this_coro::executor;
  CommitPipeline& pipeline = *self->pipeline;
  while (!pipeline.stopping()) {
    Duration pause = kTick;
    if (!pipeline.feed().live()) {
      pause = co_await try_rebuild(self);
    } else if (pipeline.failing()) {
      co_await probe(self);
    }
    while (pipeline.steps().close_due(self->clock.now(), kVisitsPerTurn)) {
      co_await asio::post(executor, asio::use_awaitable);
    }
    pipeline.expire_series();
    co_await follow_step_rules(self);
    co_await count_series(self);
    pipeline.pump();
    pipeline.refresh_gauges();
    const Deadline next = Deadline::after(pause);
    static_cast<void>(co_await self->tick.wait(next));
  }
}

asio::awaitable<Duration> Ingestor::Impl::try_rebuild(std::shared_ptr<Impl> self) {
  const auto executor = co_await asio::this_coro::executor;
  StepFeed& feed = self->pipeline->feed();
  Result<> rebuilt = co_await rebuild_steps(self);
  const bool hopeless = !rebuilt && feed.overflowed() > 0;
  if (!rebuilt) {
    self->instruments.step_rebuild_failures.inc();
  }
  if (hopeless) {
    self->log.error("open analysis steps were not rebuilt after the start: what came since fills its memory; analysis goes on without them",
                    {{"error", rebuilt.error().message}});
  }
  if (rebuilt || hopeless) {
    while (!feed.finish_rebuild(self->clock.now(), kVisitsPerTurn)) {
      co_await asio::post(executor, asio::use_awaitable);
    }
    co_return Duration{0};
  }
  self->log.throttled(telemetry::LogLevel::warning, "rebuild_failed",
                      "open analysis steps cannot be rebuilt yet; samples are stored, their analysis waits; check PostgreSQL",
                      {{"code", to_string(rebuilt.error().code)}, {"error", rebuilt.error().message}});
  co_return self->rebuild_backoff.next();
}

runtime::Async<> Ingestor::Impl::rebuild_steps(std::shared_ptr<Impl> self) {
  const StepAccumulators& steps = self->pipeline->steps();
  Result<> learned = co_await learn_own_steps(self);
  if (!learned) {
    co_return learned;
  }
  if (!self->rebuild_from) {
    const Timestamp now = self->clock.now();
    // What lies further ahead came while the clock was wrong; the way there may be years of nothing.
    auto newest = co_await self->samples.newest_sample(Deadline::after(kReadTimeout), kDefaultTenant, now + StepAccumulators::kFutureMax);
    if (!newest) {
      co_return std::move(newest).error();
    }
    if (!*newest) {
      co_return Result<>{};
    }
    // A sender's clock may be ahead; the steps of the others are not, and after a while of standing still they lie far behind it.
    auto passed = co_await self->samples.newest_sample(Deadline::after(kReadTimeout), kDefaultTenant, now);
    if (!passed) {
      co_return std::move(passed).error();
    }
    const Timestamp last = passed->value_or(now);
    const std::chrono::seconds longest = steps.longest_step();
    self->rebuild_from = step_start(last - 2 * longest - self->options.step_grace, longest);
    // What comes from now on is kept aside.
    self->rebuild_to = **newest + std::chrono::microseconds{1};
    self->rebuild_gap_from = last;
    self->rebuild_gap_to = now;
  }
  while (*self->rebuild_from < self->rebuild_to && !self->pipeline->stopping()) {
    if (*self->rebuild_from > self->rebuild_gap_from && *self->rebuild_from < self->rebuild_gap_to) {
      self->rebuild_from = self->rebuild_gap_to;
      continue;
    }
    Result<> page = co_await rebuild_page(self);
    if (!page) {
      co_return page;
    }
  }
  co_return Result<>{};
}

runtime::Async<> Ingestor::Impl::rebuild_page(std::shared_ptr<Impl> self) {
  const Timestamp from = *self->rebuild_from;
  const Timestamp to = std::min(self->rebuild_to, from + self->rebuild_slice);
  const Deadline deadline = Deadline::after(kReadTimeout);
  auto page = co_await self->samples.recent_samples(deadline, kDefaultTenant, from, to, self->rebuild_page_rows);
  if (!page) {
    if (page.error().code == Errc::timeout) {
      self->rebuild_slice = std::max(self->rebuild_slice / 2, kSliceMin);
    }
    co_return std::move(page).error();
  }
  self->pipeline->feed().restored(kDefaultTenant, *page, self->clock.now());
  if (page->size() >= self->rebuild_page_rows) {
    const Timestamp last = page->back().sample.time;
    const bool one_instant = page->front().sample.time == last && self->rebuild_page_rows < kRebuildPageMax;
    // The same page would come again and again: that of one instant grows until it holds it all.
    self->rebuild_page_rows = one_instant ? self->rebuild_page_rows * 2 : kRebuildPage;
    self->rebuild_from = one_instant ? last : std::max(last, from + std::chrono::microseconds{1});
    self->rebuild_slice = std::max(self->rebuild_slice / 2, kSliceMin);
  } else {
    self->rebuild_page_rows = kRebuildPage;
    self->rebuild_from = to;
    if (page->size() < kRebuildPage / 4) {
      self->rebuild_slice = std::min(self->rebuild_slice * 2, kSliceMax);
    }
  }
  co_return Result<>{};
}

/// New series of each rule since the last look. Those that were given a lower id and committed later are found by looking back a little.
runtime::Async<> Ingestor::Impl::learn_own_steps(std::shared_ptr<Impl> self) {
  for (std::size_t rank = 0; rank < self->step_rules.size(); ++rank) {
    StepRule& rule = self->step_rules[rank];
    for (bool more = true; more && !self->pipeline->stopping();) {
      storage::SeriesQuery query;
      query.selector = rule.selector;
      query.limit = kRulePage;
      query.after = std::max<SeriesId>(rule.seen - kLookBack, 0);
      const Deadline deadline = Deadline::after(kReadTimeout);
      const auto page = co_await self->samples.list_series(deadline, kDefaultTenant, std::move(query));
      if (!page) {
        co_return page.error();
      }
      for (const storage::SeriesInfo& series : *page) {
        self->pipeline->steps().set_step(series.id, rule.step, static_cast<std::uint16_t>(rank));
        rule.seen = std::max(rule.seen, series.id);
      }
      more = page->size() == kRulePage;
    }
  }
  co_return Result<>{};
}

runtime::Task Ingestor::Impl::follow_step_rules(std::shared_ptr<Impl> self) {
  const auto now = self->clock.steady_now();
  if (self->step_rules.empty() || now < self->rules_at || self->pipeline->failing() || !self->pipeline->feed().live()) {
    co_return;
  }
  const Result<> learned = co_await learn_own_steps(self);
  if (!learned) {
    self->log.throttled(telemetry::LogLevel::warning, "step_rules",
                        "series of analysis.rules with a step of their own cannot be looked up; new ones go by ingest.analysis_step until "
                        "it succeeds; check PostgreSQL and the selectors",
                        {{"code", to_string(learned.error().code)}, {"error", learned.error().message}});
  }
  self->rules_at = now + kRulesEvery;
}

runtime::Task Ingestor::Impl::count_series(std::shared_ptr<Impl> self) {
  const auto now = self->clock.steady_now();
  if (now < self->count_series_at || self->pipeline->failing()) {
    co_return;
  }
  const auto idle = std::chrono::duration_cast<std::chrono::seconds>(self->options.series_idle);
  const Deadline deadline = Deadline::after(kReadTimeout);
  const auto count = co_await self->samples.count_active_series(deadline, kDefaultTenant, idle);
  if (count) {
    self->pipeline->set_stored_active(kDefaultTenant, *count);
  }
  self->count_series_at = now + (count ? kCountEvery : kCountRetry);
}

runtime::Task Ingestor::Impl::probe(std::shared_ptr<Impl> self) {
  const Timestamp now = self->clock.now();
  const auto answer = co_await self->samples.newest_sample(Deadline::after(kReadTimeout), kDefaultTenant, now);
  if (answer) {
    self->pipeline->recovered();
  }
}

}  // namespace sensus::ingest
