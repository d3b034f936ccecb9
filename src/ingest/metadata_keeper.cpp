#include "sensus/ingest/metadata_keeper.hpp"

#include "metadata_ledger_internal.hpp"

#include "sensus/runtime/backoff.hpp"
#include "sensus/runtime/signal.hpp"

#include <algorithm>
#include <utility>

namespace sensus::ingest {
namespace {

constexpr Duration kStoreTimeout = std::chrono::seconds{5};
constexpr Duration kIdle = std::chrono::minutes{1};
constexpr std::size_t kParcel = 1000;

}  // namespace

struct MetadataKeeper::Impl {
  Impl(Deps given, Limits given_limits)
      : store(given.store),
        clock(given.clock),
        log(std::move(given.log)),
        limits(given_limits),
        ledger(given_limits.families_max),
        wake(given.executor),
        ended(given.executor),
        stopped(given.executor),
        backoff({given_limits.gather, std::chrono::seconds{60}}) {
    telemetry::Metrics& m = given.metrics;
    constexpr std::string_view kDropped = "sensus_ingest_metadata_dropped_total";
    constexpr std::string_view kDroppedHelp =
        "Metadata entries of metric families that were not kept, by reason.";
    written = m.counter("sensus_ingest_metadata_written_total",
                        "Metric families whose metadata was stored, new or changed.");
    invalid = m.counter(kDropped, kDroppedHelp, {{"reason", "invalid"}});
    beyond = m.counter(kDropped, kDroppedHelp, {{"reason", "limit"}});
    refused = m.counter(kDropped, kDroppedHelp, {{"reason", "refused"}});
    failures = m.counter("sensus_ingest_metadata_failures_total",
                         "Failed attempts to store metadata, most of which are repeated.");
    waiting = m.gauge("sensus_ingest_metadata_waiting",
                      "Metric families whose metadata waits to be stored.");
  }

  static runtime::Task run(std::shared_ptr<Impl> self);
  /// One parcel after the other until nothing waits or one fails.
  static runtime::Async<> store_waiting(std::shared_ptr<Impl> self, Deadline deadline);
  static runtime::Async<> stop(std::shared_ptr<Impl> self, Deadline deadline);
  void note_beyond(std::size_t number) const;

  storage::MetadataStore& store;
  const Clock& clock;
  telemetry::Log log;
  Limits limits;
  MetadataLedger ledger;
  runtime::Signal wake;   ///< Something waits.
  runtime::Signal ended;  ///< `stop` was called.
  runtime::Signal stopped;
  runtime::Backoff backoff;
  bool running = false;
  bool stopping = false;
  telemetry::Counter written;
  telemetry::Counter invalid;
  telemetry::Counter beyond;
  telemetry::Counter refused;
  telemetry::Counter failures;
  telemetry::Gauge waiting;
};

void MetadataKeeper::Impl::note_beyond(std::size_t number) const {
  beyond.inc(static_cast<double>(number));
  log.throttled(telemetry::LogLevel::warning, "metadata_limit",
                "there are more metric families than metadata is kept for: raise "
                "ingest.metadata_families_max, or find the sender that "
                "makes names up; samples are stored all the same",
                {{"families_max", limits.families_max}});
}

runtime::Task MetadataKeeper::Impl::run(std::shared_ptr<Impl> self) {
  self->running = true;
  while (!self->stopping) {
    Duration pause = self->limits.gather;
    if (self->ledger.waiting() == 0) {
      const Deadline idle = Deadline::after(kIdle);
      static_cast<void>(co_await self->wake.wait(idle));
    } else {
      const Deadline until = Deadline::after(kStoreTimeout);
      Result<> done = co_await store_waiting(self, until);
      if (done) {
        self->backoff.reset();
      } else {
        pause = self->backoff.next();
      }
    }
    if (!self->stopping) {
      const Deadline until = Deadline::after(pause);
      static_cast<void>(co_await self->ended.wait(until));
    }
  }
  self->running = false;
  self->stopped.notify();
}

runtime::Async<> MetadataKeeper::Impl::store_waiting(std::shared_ptr<Impl> self,
                                                     Deadline deadline) {
  while (self->ledger.waiting() > 0) {
    MetadataLedger::Parcel parcel = self->ledger.take(kParcel);
    auto storing = self->store.store(deadline, parcel.tenant, parcel.families, self->limits.families_max);
    Result<storage::MetadataStore::Stored> stored = co_await std::move(storing);
    if (!stored) {
      self->failures.inc();
      self->log.throttled(
          telemetry::LogLevel::warning, "metadata_failed",
          "metadata of metrics could not be stored; samples do not wait for it; check PostgreSQL",
          {{"code", to_string(stored.error().code)}, {"error", stored.error().message}});
      if (traits_of(stored.error().code).retryable) {
        self->ledger.give_back(std::move(parcel));
      } else {
        self->refused.inc(static_cast<double>(parcel.families.size()));
      }
      co_return std::move(stored).error();
    }
    self->ledger.stored(parcel, self->clock.now());
    self->written.inc(static_cast<double>(stored->written));
    self->waiting.set(static_cast<double>(self->ledger.waiting()));
    if (stored->refused > 0) {
      self->note_beyond(stored->refused);
    }
  }
  co_return Result<>{};
}

runtime::Async<> MetadataKeeper::Impl::stop(std::shared_ptr<Impl> self, Deadline deadline) {
  self->stopping = true;
  self->wake.notify();
  self->ended.notify();
  while (self->running && !deadline.expired()) {
    static_cast<void>(co_await self->stopped.wait(deadline));
  }
  if (self->running) {
    co_return make_error(Errc::timeout,
                         "metadata was still being stored when the time to stop was over");
  }
  Result<> done = co_await store_waiting(self, deadline);
  co_return done;
}

MetadataKeeper::MetadataKeeper(Deps deps, Limits limits)
    : impl_(std::make_shared<Impl>(std::move(deps), limits)) {}
MetadataKeeper::~MetadataKeeper() = default;

void MetadataKeeper::note(TenantId tenant, const model::MetadataBatch& batch) {
  if (batch.empty()) {
    return;
  }
  const MetadataLedger::Noted noted = impl_->ledger.note(tenant, batch, impl_->clock.now());
  impl_->invalid.inc(static_cast<double>(noted.invalid));
  if (noted.beyond > 0) {
    impl_->note_beyond(noted.beyond);
  }
  if (impl_->ledger.waiting() > 0) {
    impl_->waiting.set(static_cast<double>(impl_->ledger.waiting()));
    impl_->wake.notify();
  }
}

runtime::Task MetadataKeeper::run() { return Impl::run(impl_); }
runtime::Async<> MetadataKeeper::stop(Deadline deadline) { return Impl::stop(impl_, deadline); }

}  // namespace sensus::ingest
