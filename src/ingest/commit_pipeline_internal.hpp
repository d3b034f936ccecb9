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
#include <unordered_map>
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

  /// Appends and waits for the commit; returns how many samples were stored, which is fewer than given when the tenant's limit of
  /// active series refused new ones. **Errors**: overloaded, cancelled when stopping, timeout, or the writer's.
  [[nodiscard]] runtime::Async<std::size_t> commit(Deadline deadline, TenantId tenant, model::SampleBatch batch);
  /// Starts a flush when the writer is free and something waits.
  void pump();

  /// Series of the tenant that had samples of late, as the database has it: from before a restart, and from other replicas.
  void set_stored_active(TenantId tenant, std::size_t series);
  /// Lets idle series leave the cache, a part of it a call.
  void expire_series();

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
  using Handler = boost::asio::any_completion_handler<void(Result<std::size_t>)>;
  /// Where a request's rows are in its flush.
  struct RowRange {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  struct Waiter {
    Handler handler;
    Deadline::TimePoint deadline;
    RowRange rows;
  };
  struct Gathering {
    Gathering(TenantId tenant, const SeriesHasher& hasher) : rows(tenant, hasher) {}
    FlushBuilder rows;
    std::vector<Waiter> waiters;
    Deadline::TimePoint opened = std::chrono::steady_clock::now();
  };

  Result<> admit(const model::SampleBatch& batch);
  Gathering& gathering_for(TenantId tenant, std::size_t rows);
  void append(Gathering& gathering, const model::SampleBatch& batch);
  void add_waiter(Gathering& gathering, Handler handler, Deadline deadline, RowRange rows);
  void discard_stale();
  [[nodiscard]] std::size_t create_max(TenantId tenant) const;
  std::unique_ptr<FlushJob> next_job();
  void finished(std::unique_ptr<FlushJob> job);
  void succeeded(FlushJob& job);
  void learn_series(const FlushJob& job);
  void touched(const FlushJob& job);
  void learn_ends(const FlushJob& job);
  void note_refused(std::size_t rows);
  void failed(FlushJob& job, const Error& error);
  void resume_stored(std::vector<Waiter> waiters, const FlushJob& job);
  void resume_failed(std::vector<Waiter> waiters, const Error& error);
  void forget_touches(const storage::SampleFlush& flush, const FlushSeries& series);
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
  SeriesHasher hasher_;
  SeriesCache cache_;
  SeriesCache refused_;  ///< New series over the limit, remembered for a minute, so that they do not cost a look-up each time.
  std::unordered_map<TenantId, std::size_t> stored_active_;
  StepAccumulators steps_;
  StepFeed feed_;

  std::deque<Gathering> queue_;
  std::size_t queued_bytes_ = 0;  ///< Of queue_ and of the running flush.
  std::size_t queued_rows_ = 0;
  bool writing_ = false;
  std::size_t running_bytes_ = 0;
  std::size_t running_rows_ = 0;
  std::vector<Waiter> running_waiters_;
  FlushSeries running_series_;

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
  TotalFollower expired_;
  TotalFollower late_;
  TotalFollower dropped_;
  WriterThread writer_;  ///< Last: its thread ends before anything above goes.
};

}  // namespace sensus::ingest
