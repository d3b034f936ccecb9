#pragma once

#include "commit_pipeline_internal.hpp"

#include "sensus/ingest/ingestor.hpp"

namespace sensus::ingest {

/// Shared by the Ingestor and its running coroutines.
struct Ingestor::Impl {
  Impl(Deps deps, Options options);

  static runtime::Async<std::size_t> accept_samples(std::shared_ptr<Impl> self, Deadline deadline, TenantId tenant, model::SampleBatch batch);
  static runtime::Async<std::vector<storage::AlertOutcome>> accept_alerts(std::shared_ptr<Impl> self, Deadline deadline, TenantId tenant,
                                                                          model::AlertBatch batch);
  static runtime::Task run(std::shared_ptr<Impl> self);
  static runtime::Async<> stop(std::shared_ptr<Impl> self, Deadline deadline);

  /// Reads the samples of steps that may have been open at the last end; continues where a failed attempt stopped.
  static runtime::Async<> rebuild_steps(std::shared_ptr<Impl> self);
  static runtime::Async<> rebuild_page(std::shared_ptr<Impl> self);
  /// One attempt, logged and counted; the time to wait before the next.
  static boost::asio::awaitable<Duration> try_rebuild(std::shared_ptr<Impl> self);
  static runtime::Async<> learn_own_steps(std::shared_ptr<Impl> self);
  static runtime::Task follow_step_rules(std::shared_ptr<Impl> self);
  /// Asks now and then how many series are active in the database.
  static runtime::Task count_series(std::shared_ptr<Impl> self);
  /// After a failure without new traffic: asks whether the database answers again.
  static runtime::Task probe(std::shared_ptr<Impl> self);

  Result<> admit_alerts() const;
  void count_alerts(const std::vector<storage::AlertOutcome>& outcomes) const;

  storage::SampleStore& samples;
  storage::AlertStore& alerts;
  const Clock& clock;
  telemetry::Log log;
  Options options;
  std::function<void()> on_outbox;
  Instruments instruments;
  std::shared_ptr<CommitPipeline> pipeline;
  std::int64_t alerts_in_flight = 0;
  std::optional<Timestamp> rebuild_from;
  Timestamp rebuild_to;
  Timestamp rebuild_gap_from;  ///< From here to there nothing was stored when the rebuild began.
  Timestamp rebuild_gap_to;
  std::size_t rebuild_page_rows = 20'000;
  std::chrono::microseconds rebuild_slice{std::chrono::seconds{2}};
  runtime::Backoff rebuild_backoff;
  Deadline::TimePoint count_series_at{};
  std::vector<StepRule> step_rules;
  Deadline::TimePoint rules_at{};
  runtime::Signal tick;
  runtime::Signal alerts_idle;
};

}  // namespace sensus::ingest
