#include "commit_pipeline_internal.hpp"

#include "sensus/model/metadata.hpp"

#include <algorithm>
#include <boost/asio/append.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace asio = boost::asio;

namespace sensus::ingest {
namespace {

// So that one transaction stays short; the rest goes with the next flush.
constexpr std::size_t kPointsPerFlush = 20'000;
// See the rule in SeriesCache: ids of a flush are not older than these make them.
constexpr std::chrono::minutes kGatheringOpen{1};
constexpr std::chrono::minutes kGatheringKept{5};
constexpr std::size_t kRefusedMax = 100'000;
constexpr std::chrono::seconds kRefusedFor{60};
// The whole of a cache of a million series in a few minutes, a millisecond a second.
constexpr std::size_t kExpireSlots = 20'000;
constexpr runtime::BackoffOptions kPause{std::chrono::milliseconds{100}, std::chrono::milliseconds{1000}};

double as_double(std::size_t n) { return static_cast<double>(n); }

std::chrono::seconds whole_seconds(std::chrono::milliseconds step) { return std::chrono::ceil<std::chrono::seconds>(step); }

}  // namespace

CommitPipeline::CommitPipeline(Deps deps, const Options& options)
    : executor_(deps.executor),
      clock_(deps.clock),
      log_(std::move(deps.log)),
      instruments_(deps.instruments),
      on_outbox_(std::move(deps.on_outbox)),
      options_(options),
      cache_(static_cast<std::size_t>(options.series_cache_max), whole_seconds(options.series_idle)),
      refused_(kRefusedMax, kRefusedFor),
      steps_(whole_seconds(options.analysis_step), options.step_grace),
      feed_(steps_),
      sweep_timer_(executor_),
      pause_timer_(executor_),
      backoff_(kPause),
      idle_(executor_),
      evictions_(instruments_.cache_evictions),
      expired_(instruments_.cache_expired),
      late_(instruments_.step_late_samples),
      dropped_(instruments_.step_points_dropped),
      writer_(executor_, std::move(deps.writer)) {}

runtime::Async<std::size_t> CommitPipeline::commit(Deadline deadline, TenantId tenant, model::SampleBatch batch) {
  // `this` outlives the wait: the caller holds a shared_ptr to it.
  writer_.poll();
  if (auto refused = admit(batch); !refused) {
    co_return std::move(refused).error();
  }
  const Deadline until = min(deadline, Deadline::after(options_.commit_timeout));
  Gathering& gathering = gathering_for(tenant, batch.size());
  RowRange rows{gathering.rows.rows(), 0};
  append(gathering, batch);
  rows.end = gathering.rows.rows();
  if (rows.begin == rows.end && batch.ends().empty()) {
    co_return std::size_t{0};  // All of them are series beyond the limit.
  }
  batch = {};
  auto initiation = [this, &gathering, until, rows](auto handler) {
    add_waiter(gathering, std::move(handler), until, rows);
    pump();
  };
  Result<std::size_t> result =
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<std::size_t>)>(initiation, asio::use_awaitable);
  co_return result;
}

void CommitPipeline::append(Gathering& gathering, const model::SampleBatch& batch) {
  const std::size_t bytes_before = gathering.rows.bytes();
  const std::size_t rows_before = gathering.rows.rows();
  const FlushBuilder::Lookups lookups = gathering.rows.append(batch, cache_, refused_, clock_.now());
  instruments_.cache_hits.inc(as_double(lookups.hits));
  instruments_.cache_misses.inc(as_double(lookups.misses));
  note_refused(lookups.refused);
  queued_bytes_ += gathering.rows.bytes() - bytes_before;
  queued_rows_ += gathering.rows.rows() - rows_before;
}

Result<> CommitPipeline::admit(const model::SampleBatch& batch) {
  if (stopping_) {
    instruments_.metrics.refuse(Instruments::Refusal::stopping);
    return make_error(Errc::cancelled, "the daemon is shutting down: send again");
  }
  // A single body over the limit is taken when nothing else waits, or it could never be sent.
  if (queued_bytes_ > 0 && queued_bytes_ + batch.memory_bytes() > options_.queue_limit.bytes) {
    instruments_.metrics.refuse(Instruments::Refusal::overloaded);
    log_.throttled(telemetry::LogLevel::warning, "queue_full",
                   "the queue of samples is full: senders get 503 and retry; if it lasts, the database is too slow (or raise ingest.queue_limit)",
                   {{"queued_bytes", queued_bytes_}, {"queued_rows", queued_rows_}});
    return make_error(Errc::overloaded, "too many samples wait for their commit: send again");
  }
  return {};
}

CommitPipeline::Gathering& CommitPipeline::gathering_for(TenantId tenant, std::size_t rows) {
  const auto max = static_cast<std::size_t>(options_.flush_rows_max);
  const auto open_since = std::chrono::steady_clock::now() - kGatheringOpen;
  for (auto at = queue_.rbegin(); at != queue_.rend(); ++at) {
    if (at->rows.tenant() == tenant) {
      if (at->opened >= open_since && (at->rows.rows() == 0 || at->rows.rows() + rows <= max)) {
        return *at;
      }
      break;
    }
  }
  return queue_.emplace_back(tenant, hasher_);
}

void CommitPipeline::add_waiter(Gathering& gathering, Handler handler, Deadline deadline, RowRange rows) {
  gathering.waiters.push_back({std::move(handler), deadline.at(), rows});
  arm_sweep(deadline.at());
}

void CommitPipeline::pump() {
  if (writing_ || paused_) {
    return;
  }
  std::unique_ptr<FlushJob> job = next_job();
  if (!job) {
    return;
  }
  writing_ = true;
  job->deadline = Deadline::after(options_.commit_timeout);
  writer_.start(std::move(job), [weak = weak_from_this()](std::unique_ptr<FlushJob> done) {
    if (const auto self = weak.lock()) {
      self->finished(std::move(done));
    }
  });
}

std::unique_ptr<FlushJob> CommitPipeline::next_job() {
  const auto points_tenant = steps_.next_tenant();
  const bool points_due = points_tenant && std::chrono::steady_clock::now() >= points_not_before_;
  auto job = std::make_unique<FlushJob>();
  job->started = clock_.now();
  if (points_due && (points_alone_ || queue_.empty())) {
    job->flush.tenant = *points_tenant;
    job->closed = steps_.take(*points_tenant, kPointsPerFlush);
    return job;
  }
  discard_stale();
  if (queue_.empty()) {
    return nullptr;
  }
  Gathering gathering = std::move(queue_.front());
  queue_.pop_front();
  running_bytes_ = gathering.rows.bytes();
  running_rows_ = gathering.rows.rows();
  running_waiters_ = std::move(gathering.waiters);
  running_series_ = gathering.rows.take_series();
  job->flush = gathering.rows.take();
  job->flush.create_max = create_max(job->flush.tenant);
  if (points_due && *points_tenant == job->flush.tenant) {
    job->closed = steps_.take(*points_tenant, kPointsPerFlush);
  }
  return job;
}

/// Everyone in them was answered long ago.
void CommitPipeline::discard_stale() {
  const auto kept_since = std::chrono::steady_clock::now() - kGatheringKept;
  while (!queue_.empty() && queue_.front().opened < kept_since) {
    Gathering gathering = std::move(queue_.front());
    queue_.pop_front();
    queued_bytes_ -= gathering.rows.bytes();
    queued_rows_ -= gathering.rows.rows();
    const FlushSeries series = gathering.rows.take_series();
    forget_touches(gathering.rows.take(), series);
    resume_failed(std::move(gathering.waiters), make_error(Errc::timeout, "the database did not commit in time: send again"));
  }
}

std::size_t CommitPipeline::create_max(TenantId tenant) const {
  const auto limit = static_cast<std::size_t>(options_.active_series_max);
  const auto stored = stored_active_.find(tenant);
  const std::size_t active = std::max(cache_.active(tenant), stored == stored_active_.end() ? 0 : stored->second);
  return limit - std::min(limit, active);
}

void CommitPipeline::finished(std::unique_ptr<FlushJob> job) {
  writing_ = false;
  queued_bytes_ -= std::exchange(running_bytes_, 0);
  queued_rows_ -= std::exchange(running_rows_, 0);
  std::vector<Waiter> waiters = std::exchange(running_waiters_, {});
  instruments_.flush_rows.observe(as_double(job->flush.rows.size()));
  instruments_.flush_seconds.observe(std::chrono::duration<double>(job->took).count());
  if (job->result && job->result->new_series.size() != job->flush.new_series.size()) {
    job->result = make_error(Errc::internal, "the writer named another number of series than it was asked for");
  }
  if (job->result) {
    succeeded(*job);
  } else {
    failed(*job, job->result.error());
  }
  running_series_ = {};
  // The writer first: it works while the waiters are resumed.
  pump();
  if (job->result) {
    resume_stored(std::move(waiters), *job);
  } else {
    resume_failed(std::move(waiters), job->result.error());
  }
  refresh_gauges();
  if (!writing_) {
    idle_.notify();
  }
}

void CommitPipeline::succeeded(FlushJob& job) {
  learn_series(job);
  touched(job);
  learn_ends(job);
  const std::size_t stored = feed_.committed(job.flush.tenant, job.flush.rows, job.result->new_series, clock_.now());
  note_refused(job.flush.rows.size() - stored);
  instruments_.metrics_received.inc(as_double(stored));
  backoff_.reset();
  failure_.reset();
  if (!job.closed.points.empty()) {
    points_alone_ = false;
    instruments_.step_points.inc(as_double(job.closed.points.size()));
    on_outbox_();
  }
}

void CommitPipeline::learn_series(const FlushJob& job) {
  const storage::FlushResult& result = *job.result;
  for (std::size_t i = 0; i < result.new_series.size(); ++i) {
    const SeriesHash& hash = running_series_.created[i];
    if (result.new_series[i] == 0) {
      refused_.insert(job.flush.tenant, hash, 1, job.started);
    } else {
      const std::chrono::seconds unseen{i < result.unseen_s.size() ? result.unseen_s[i] : 0};
      cache_.insert(job.flush.tenant, hash, result.new_series[i], job.started - unseen);
      if (model::is_counter_name(model::metric_name_of_key(job.flush.new_series[i]))) {
        steps_.mark_counter(result.new_series[i]);
      }
    }
  }
  if (const auto stored = stored_active_.find(job.flush.tenant); stored != stored_active_.end()) {
    stored->second += result.created;
  }
}

void CommitPipeline::touched(const FlushJob& job) {
  if (!job.result->touched) {
    forget_touches(job.flush, running_series_);
    return;
  }
  const std::vector<SeriesId>& there = *job.result->touched;
  for (std::size_t i = 0; i < job.flush.touch.size(); ++i) {
    const SeriesId id = job.flush.touch[i];
    if (std::binary_search(there.begin(), there.end(), id)) {
      cache_.touched(running_series_.touched[i], id, job.started);
    } else {
      cache_.forget(running_series_.touched[i], id);
    }
  }
}

/// A mark goes only while no end is on its way: its own flush could pass a sample by that has to say that the series goes on.
void CommitPipeline::learn_ends(const FlushJob& job) {
  const std::vector<SeriesId>& ended = job.result->ended;
  const bool others_wait = std::ranges::any_of(queue_, [](const Gathering& one) { return one.rows.ends() > 0; });
  const auto learn = [&](const std::vector<SeriesHash>& hashes) {
    for (const SeriesHash& hash : hashes) {
      const bool has_ended = std::binary_search(ended.begin(), ended.end(), cache_.id_of(hash));
      if (has_ended || !others_wait) {
        cache_.set_ended(hash, has_ended);
      }
    }
  };
  if (!ended.empty()) {
    learn(running_series_.created);
  }
  learn(running_series_.ended);
  learn(running_series_.resumed);
}

void CommitPipeline::forget_touches(const storage::SampleFlush& flush, const FlushSeries& series) {
  for (std::size_t i = 0; i < flush.touch.size(); ++i) {
    cache_.touch_failed(series.touched[i], flush.touch[i]);
  }
}

void CommitPipeline::note_refused(std::size_t rows) {
  if (rows == 0) {
    return;
  }
  instruments_.refused_samples.inc(as_double(rows));
  log_.throttled(telemetry::LogLevel::warning, "series_limited",
                 "samples of new series were refused because the tenant has as many active series as it may have: find the sender whose "
                 "labels change, or raise ingest.active_series_max",
                 {{"samples", rows}, {"active_series_max", options_.active_series_max}});
}

void CommitPipeline::set_stored_active(TenantId tenant, std::size_t series) { stored_active_[tenant] = series; }

void CommitPipeline::expire_series() {
  const Timestamp now = clock_.now();
  cache_.expire(now, kExpireSlots);
  refused_.expire(now, kExpireSlots);
}

void CommitPipeline::failed(FlushJob& job, const Error& error) {
  instruments_.flush_failures(error.code).inc();
  failure_ = error;
  forget_touches(job.flush, running_series_);
  log_.throttled(telemetry::LogLevel::error, "flush_failed",
                 "samples could not be committed: senders get 503 and retry; check PostgreSQL",
                 {{"code", to_string(error.code)}, {"error", error.message}, {"rows", job.flush.rows.size()}, {"points", job.closed.points.size()}});
  const std::chrono::milliseconds delay = backoff_.next();
  if (!job.closed.points.empty()) {
    steps_.give_back(job.flush.tenant, job.closed);
    points_alone_ = true;
    points_not_before_ = std::chrono::steady_clock::now() + delay;
  }
  if (error.code == Errc::unavailable) {
    pause(delay);
  }
}

// One turn of the reactor each, so that hundreds of answers do not hold up everything else.

void CommitPipeline::resume_stored(std::vector<Waiter> waiters, const FlushJob& job) {
  const std::vector<SeriesId>& fresh = job.result->new_series;
  const bool limited = std::find(fresh.begin(), fresh.end(), 0) != fresh.end();
  for (Waiter& waiter : waiters) {
    std::size_t stored = waiter.rows.end - waiter.rows.begin;
    for (std::size_t i = waiter.rows.begin; limited && i < waiter.rows.end; ++i) {
      const std::int32_t series = job.flush.rows[i].series;
      stored -= series < 0 && fresh[static_cast<std::size_t>(-series) - 1] == 0 ? 1 : 0;
    }
    if (waiter.handler) {
      asio::post(executor_, asio::append(std::move(waiter.handler), Result<std::size_t>(stored)));
    }
  }
}

void CommitPipeline::resume_failed(std::vector<Waiter> waiters, const Error& error) {
  for (Waiter& waiter : waiters) {
    if (waiter.handler) {
      asio::post(executor_, asio::append(std::move(waiter.handler), Result<std::size_t>(error)));
    }
  }
}

void CommitPipeline::arm_sweep(Deadline::TimePoint at) {
  if (sweep_at_ && *sweep_at_ <= at) {
    return;
  }
  sweep_at_ = at;
  sweep_timer_.expires_at(at);
  sweep_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    if (const auto self = weak.lock(); self && !ec) {
      self->sweep();
    }
  });
}

void CommitPipeline::sweep() {
  sweep_at_.reset();
  const auto now = std::chrono::steady_clock::now();
  std::vector<Waiter> expired;
  std::optional<Deadline::TimePoint> next;
  const auto collect = [&](std::vector<Waiter>& waiters) {
    for (Waiter& waiter : waiters) {
      if (waiter.handler && waiter.deadline <= now) {
        instruments_.metrics.refuse(Instruments::Refusal::timeout);
        // The rows stay in their flush: a late commit is a duplicate of the sender's retry, and reads show it once.
        // Moved by construction: assignment of any_completion_handler is broken in Boost 1.81 (it wraps itself, and crashes when empty).
        expired.push_back({std::move(waiter.handler), waiter.deadline, waiter.rows});
      } else if (waiter.handler) {
        next = next ? std::min(*next, waiter.deadline) : waiter.deadline;
      }
    }
  };
  collect(running_waiters_);
  for (Gathering& gathering : queue_) {
    collect(gathering.waiters);
  }
  if (next) {
    arm_sweep(*next);
  }
  resume_failed(std::move(expired), make_error(Errc::timeout, "the database did not commit in time: send again"));
}

void CommitPipeline::pause(std::chrono::milliseconds delay) {
  paused_ = true;
  pause_timer_.expires_after(delay);
  pause_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    const auto self = weak.lock();
    if (self && !ec) {
      self->paused_ = false;
      self->pump();
    }
  });
}

telemetry::HealthReport CommitPipeline::health() const {
  using telemetry::HealthState;
  if (failure_) {
    return {HealthState::failed, "samples cannot be stored (" + failure_->message + "): senders get 503 and retry"};
  }
  if (queued_bytes_ > options_.queue_limit.bytes / 5 * 4) {
    return {HealthState::degraded, "the queue of samples is over 80 % full: the database is slower than the senders"};
  }
  return {};
}

runtime::Async<> CommitPipeline::drain(Deadline deadline) {
  stopping_ = true;
  pump();
  while ((writing_ || !queue_.empty()) && !deadline.expired()) {
    static_cast<void>(co_await idle_.wait(deadline));
  }
  if (!writing_ && queue_.empty()) {
    co_return Result<>{};
  }
  const Error error = make_error(Errc::cancelled, "the daemon stopped before the commit: send again");
  fail_everyone(error);
  if (writing_) {
    writer_.cancel();
  }
  const Deadline last = Deadline::after(std::chrono::seconds{2});
  while (writing_ && !last.expired()) {
    static_cast<void>(co_await idle_.wait(last));
  }
  co_return make_error(Errc::timeout, "samples waited when the time to stop was over; their senders were told to retry");
}

void CommitPipeline::fail_everyone(const Error& error) {
  resume_failed(std::exchange(running_waiters_, {}), error);
  for (Gathering& gathering : std::exchange(queue_, {})) {
    queued_bytes_ -= gathering.rows.bytes();
    queued_rows_ -= gathering.rows.rows();
    resume_failed(std::move(gathering.waiters), error);
  }
}

void CommitPipeline::close() {
  stopping_ = true;
  sweep_timer_.cancel();
  pause_timer_.cancel();
  if (writing_) {
    writer_.cancel();
  }
  writer_.join();
  // Dropping a handler ends its coroutine, which may own the last reference but one to this.
  const std::vector<Waiter> dropped = std::exchange(running_waiters_, {});
  const std::deque<Gathering> queued = std::exchange(queue_, {});
}

void CommitPipeline::refresh_gauges() {
  instruments_.queue_bytes.set(as_double(queued_bytes_));
  instruments_.queue_rows.set(as_double(queued_rows_));
  instruments_.cache_entries.set(as_double(cache_.size()));
  instruments_.active_series_limit.set(as_double(static_cast<std::size_t>(options_.active_series_max)));
  instruments_.step_series.set(as_double(steps_.series()));
  instruments_.step_points_waiting.set(as_double(steps_.closed()));
  evictions_.follow(cache_.evictions());
  expired_.follow(cache_.expired());
  late_.follow(steps_.late() + feed_.overflowed());
  if (dropped_.follow(steps_.dropped())) {
    log_.throttled(telemetry::LogLevel::warning, "steps_dropped",
                   "too many closed analysis steps waited for PostgreSQL; the oldest were given up and are not looked at "
                   "for anomalies, their samples are safe");
  }
}

}  // namespace sensus::ingest
