#include "sensus/analysis/ownership.hpp"

#include "sensus/runtime/signal.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <optional>

namespace sensus::analysis {

namespace asio = boost::asio;
using SteadyTime = std::chrono::steady_clock::time_point;

namespace {

constexpr const char* kName = "analysis";
constexpr std::chrono::seconds kHandOverLimit{8};
constexpr std::chrono::seconds kGiveUpLimit{2};

struct OwnershipMetrics {
  explicit OwnershipMetrics(telemetry::Metrics& m)
      : owner(m.gauge("sensus_analysis_owner", "1 on the replica that analyses, 0 on those that stand by.")),
        takeovers(m.counter("sensus_analysis_takeovers_total", "Times this process began to analyse after another, or as the first.")),
        losses(m.counter("sensus_analysis_ownership_losses_total",
                         "Times this process stopped to analyse because it could not renew its lease in time.")),
        failures(m.counter("sensus_analysis_lease_failures_total", "Failed attempts to take or renew the lease; tried again.")) {}
  telemetry::Gauge owner;
  telemetry::Counter takeovers;
  telemetry::Counter losses;
  telemetry::Counter failures;
};

}  // namespace

struct Ownership::Impl {
  using Self = std::shared_ptr<Impl>;
  explicit Impl(Deps d) : deps(std::move(d)), metrics(deps.metrics), known_at(deps.clock.steady_now()) {}

  static runtime::Task run(Self self);
  static runtime::Task look(Self self);
  static runtime::Task hold(Self self, storage::Lease lease, SteadyTime asked_at);
  static runtime::Task leave(Self self);
  static runtime::Async<> wait_resigned(Self self, Deadline deadline);
  void lose(std::string_view why);
  [[nodiscard]] bool holds() const { return owner && deps.clock.steady_now() < valid_until; }

  Deps deps;
  OwnershipMetrics metrics;
  SteadyTime known_at;     ///< When it was last known who has the lease.
  SteadyTime valid_until;  ///< Before it ends for others.
  std::int64_t term = 0;   ///< Of what is in memory; 0: nothing is.
  std::string other;       ///< Who has it, if not this process.
  bool owner = false;
  bool resigning = false;
  bool running = false;
  std::optional<runtime::Signal> woken;  ///< Made by `run`, which knows the executor.
  std::optional<runtime::Signal> left;
};

void Ownership::Impl::lose(std::string_view why) {
  if (!owner) {
    return;
  }
  owner = false;
  metrics.owner.set(0);
  metrics.losses.inc();
  deps.log.warning("this replica does not analyse any more; another one takes over, or this one again when it can renew its lease",
                   {{"why", why}});
}

runtime::Task Ownership::Impl::hold(Self self, storage::Lease lease, SteadyTime asked_at) {
  const bool anew = self->term != lease.term;
  if (anew) {
    const Deadline limit = Deadline::after(self->deps.length / 2);
    const Result<> forgotten = co_await self->deps.forget(limit);
    if (!forgotten) {
      self->term = 0;
      co_return;  // The lease is kept; tried again at the next look.
    }
    self->term = lease.term;
  }
  self->other.clear();
  self->valid_until = asked_at + self->deps.length - self->deps.length / 6;
  if (self->owner || !(self->deps.clock.steady_now() < self->valid_until)) {
    co_return;
  }
  self->owner = true;
  self->metrics.owner.set(1);
  if (anew) {
    self->metrics.takeovers.inc();
  }
  self->deps.log.info("this replica analyses", {{"term", self->term}, {"holder", self->deps.holder}});
  self->deps.begin();
}

runtime::Task Ownership::Impl::look(Self self) {
  if (self->owner && !self->holds()) {
    self->lose("the lease was not renewed in time");
  }
  const SteadyTime asked_at = self->deps.clock.steady_now();
  const Deadline limit = Deadline::after(self->deps.length / 4);
  std::string name = kName;
  std::string holder = self->deps.holder;
  Result<storage::Lease> lease = co_await self->deps.leases.take(limit, std::move(name), std::move(holder), self->deps.length);
  if (!lease) {
    self->metrics.failures.inc();
    self->deps.log.throttled(telemetry::LogLevel::warning, "analysis_lease",
                             "the lease of the analysis could not be taken or renewed and will be tried again; see the state of PostgreSQL",
                             {{"error", to_string(lease.error().code)}, {"detail", lease.error().message}});
    co_return;
  }
  self->known_at = self->deps.clock.steady_now();
  if (lease->ours) {
    co_await hold(self, std::move(*lease), asked_at);
    co_return;
  }
  self->lose("another replica has the lease");
  if (self->other != lease->holder) {
    self->deps.log.info("another replica analyses; this one stands by", {{"holder", lease->holder}});
    self->other = std::move(lease->holder);
  }
  if (self->term != 0) {
    const Deadline soon = Deadline::after(self->deps.length);
    const Result<> forgotten = co_await self->deps.forget(soon);
    self->term = forgotten ? 0 : self->term;
  }
}

runtime::Task Ownership::Impl::leave(Self self) {
  if (!self->owner) {
    co_return;
  }
  const Deadline limit = Deadline::after(kHandOverLimit);
  const Result<> handed_over = co_await self->deps.hand_over(limit);
  if (!handed_over) {
    self->deps.log.warning("not all states of detectors were saved; they are brought up to date from stored samples after the start",
                           {{"error", handed_over.error().message}});
  }
  self->owner = false;
  self->metrics.owner.set(0);
  const Deadline soon = Deadline::after(kGiveUpLimit);
  std::string name = kName;
  std::string holder = self->deps.holder;
  const Result<> given_up = co_await self->deps.leases.give_up(soon, std::move(name), std::move(holder));
  if (given_up) {
    self->deps.log.info("the analysis is handed over");
  } else {
    self->deps.log.warning("the lease of the analysis was not given up; another replica begins when it has ended",
                           {{"error", given_up.error().message}});
  }
}

runtime::Task Ownership::Impl::run(Self self) {
  struct Guard {
    Impl& impl;
    ~Guard() {
      impl.running = false;
      impl.owner = false;
      impl.left->notify();
    }
  };
  const runtime::Executor executor = co_await asio::this_coro::executor;
  self->woken.emplace(executor);
  self->left.emplace(executor);
  self->running = true;
  const Guard guard{*self};
  while (!self->resigning) {
    co_await look(self);
    if (!self->resigning) {
      const Deadline pause = Deadline::after(self->deps.length / 6);
      co_await self->woken->wait(pause);
    }
  }
  co_await leave(self);
}

runtime::Async<> Ownership::Impl::wait_resigned(Self self, Deadline deadline) {
  while (self->running) {
    const bool notified = co_await self->left->wait(deadline);
    if (!notified && self->running) {
      co_return make_error(Errc::timeout, "the analysis was not handed over in time");
    }
  }
  co_return Result<>{};
}

Ownership::Ownership(Deps deps) : impl_(std::make_shared<Impl>(std::move(deps))) {}
Ownership::~Ownership() = default;

runtime::Task Ownership::run() { return Impl::run(impl_); }

void Ownership::resign() {
  impl_->resigning = true;
  if (impl_->woken) {
    impl_->woken->notify();
  }
}

runtime::Async<> Ownership::wait_resigned(Deadline deadline) { return Impl::wait_resigned(impl_, deadline); }
bool Ownership::holds() const { return impl_->holds(); }

telemetry::HealthReport Ownership::health() const {
  if (impl_->holds() || impl_->deps.clock.steady_now() - impl_->known_at < 2 * impl_->deps.length) {
    return {};
  }
  return {telemetry::HealthState::degraded, "which replica analyses is not known; this one does not, until it can take the lease"};
}

}  // namespace sensus::analysis
