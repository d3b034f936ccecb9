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
constexpr std::size_t kRebuildPage = 50'000;
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
    pipeline.pump();
    pipeline.refresh_gauges();
    const Deadline next = Deadline::after(pause);
    static_cast<void>(co_await self->tick.wait(next));
  }
}

asio::awaitable<Duration> Ingestor::Impl::try_rebuild(std::shared_ptr<Impl> self) {
  Result<> rebuilt = co_await rebuild_steps(self);
  if (rebuilt) {
    self->pipeline->feed().finish_rebuild(self->clock.now());
    co_return Duration{0};
  }
  self->instruments.step_rebuild_failures.inc();
  self->log.throttled(telemetry::LogLevel::warning, "rebuild_failed",
                      "open analysis steps cannot be rebuilt yet; samples are stored, their analysis waits; check PostgreSQL",
                      {{"code", to_string(rebuilt.error().code)}, {"error", rebuilt.error().message}});
  co_return self->rebuild_backoff.next();
}

runtime::Async<> Ingestor::Impl::rebuild_steps(std::shared_ptr<Impl> self) {
  const StepAccumulators& steps = self->pipeline->steps();
  if (!self->rebuild_from) {
    auto newest = co_await self->samples.newest_sample(Deadline::after(kReadTimeout), kDefaultTenant);
    if (!newest) {
      co_return std::move(newest).error();
    }
    if (!*newest) {
      co_return Result<>{};
    }
    // A sender's clock may be ahead; the steps of the others are not.
    const Timestamp last = std::min(**newest, self->clock.now());
    self->rebuild_from = steps.step_start(last - 2 * steps.step() - self->options.step_grace);
  }
  for (;;) {
    auto page = co_await self->samples.recent_samples(Deadline::after(kReadTimeout), kDefaultTenant, *self->rebuild_from, kRebuildPage);
    if (!page) {
      co_return std::move(page).error();
    }
    self->pipeline->feed().restored(kDefaultTenant, *page, self->clock.now());
    if (page->size() < kRebuildPage) {
      co_return Result<>{};
    }
    const Timestamp last = page->back().sample.time;
    // A page of a single instant would come again and again.
    self->rebuild_from = std::max(last, *self->rebuild_from + std::chrono::microseconds{1});
  }
}

runtime::Task Ingestor::Impl::probe(std::shared_ptr<Impl> self) {
  const auto answer = co_await self->samples.newest_sample(Deadline::after(kReadTimeout), kDefaultTenant);
  if (answer) {
    self->pipeline->recovered();
  }
}

}  // namespace sensus::ingest
