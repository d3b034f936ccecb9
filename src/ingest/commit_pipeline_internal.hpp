#pragma once

#include "flush_builder_internal.hpp"
#include "instruments_internal.hpp"
#include "series_cache_internal.hpp"
#include "step_feed_internal.hpp"
#include "writer_thread_internal.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/ingest/ingestor.hpp"
#include "sensus/runtime/backoff.hpp"
#include "sensus/runtime/signal.hpp"
#include "sensus/telemetry/log.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace sensus::ingest {

/// Group commit: requests append to the flush that gathers, the writer takes it whole as soon as it is free, and everyone in it
/// is resumed together. No timer is needed under load, and an idle system commits at once. Closed analysis steps ride along.
/// **Threading**: reactor only. **Lifetime**: shared with its own handlers; `close` before the last owner goes.
class CommitPipeline : public std::enable_shared_from_this<CommitPipeline> {
 public:
  struct Deps {
    runtime::Executor executor;
    std::unique_ptr<storage::SampleWriter> writer;
    const Clock& clock;
    telemetry::Log log;
    Instruments& instruments;
    std::function<void()> on_outbox;
  };
  CommitPipeline(Deps deps, const Options& options);

  /// Appends and waits for the commit. **Errors**: overloaded, cancelled when stopping, timeout, or the writer's.
  [[nodiscard]] runtime::Async<> commit(Deadline deadline, TenantId tenant, model::SampleBatch batch);
  /// Starts a flush when the writer is free and something waits.
  void pump();

  [[nodiscard]] StepAccumulators& steps() { return steps_; }
  [[nodiscard]] StepFeed& feed() { return feed_; }
  [[nodiscard]] telemetry::HealthReport health() const;
  [[nodiscard]] bool failing() const { return failure_.has_value(); }
  /// Something else showed that the database answers.
  void recovered() { failure_.reset(); }

  /// Refuses new work and waits for what was accepted; past the deadline it is cancelled.
  [[nodiscard]] runtime::Async<> drain(Deadline deadline);
  /// Ends the writer thread and drops every waiter.
  void close();
  [[nodiscard]] bool stopping() const { return stopping_; }
  void refresh_gauges();

 private:
  using Handler = boost::asio::any_completion_handler<void(Result<>)>;
  struct Waiter {
    Handler handler;
    Deadline::TimePoint deadline;
  };
  struct Gathering {
    explicit Gathering(TenantId tenant) : rows(tenant) {}
    FlushBuilder rows;
    std::vector<Waiter> waiters;
  };

  Result<> admit(const model::SampleBatch& batch);
  Gathering& gathering_for(TenantId tenant, std::size_t rows);
  void add_waiter(Gathering& gathering, Handler handler, Deadline deadline);
  std::unique_ptr<FlushJob> next_job();
  void finished(std::unique_ptr<FlushJob> job);
  void succeeded(FlushJob& job);
  void failed(FlushJob& job, const Error& error);
  void resume(std::vector<Waiter> waiters, const Result<>& result);
  void arm_sweep(Deadline::TimePoint at);
  void sweep();
  void pause(std::chrono::milliseconds delay);
  void fail_everyone(const Error& error);

  runtime::Executor executor_;
  const Clock& clock_;
  telemetry::Log log_;
  Instruments& instruments_;
  std::function<void()> on_outbox_;
  Options options_;
  SeriesCache cache_;
  StepAccumulators steps_;
  StepFeed feed_;

  std::deque<Gathering> queue_;
  std::size_t queued_bytes_ = 0;  ///< Of queue_ and of the running flush.
  std::size_t queued_rows_ = 0;
  bool writing_ = false;
  std::size_t running_bytes_ = 0;
  std::size_t running_rows_ = 0;
  std::vector<Waiter> running_waiters_;

  boost::asio::steady_timer sweep_timer_;
  std::optional<Deadline::TimePoint> sweep_at_;
  boost::asio::steady_timer pause_timer_;
  bool paused_ = false;
  runtime::Backoff backoff_;
  /// After a failed write with points in it the points are retried alone, so that they can never stop samples.
  bool points_alone_ = false;
  Deadline::TimePoint points_not_before_{};
  std::optional<Error> failure_;
  bool stopping_ = false;
  runtime::Signal idle_;
  TotalFollower evictions_;
  TotalFollower late_;
  TotalFollower dropped_;
  WriterThread writer_;  ///< Last: its thread ends before anything above goes.
};

}  // namespace sensus::ingest
