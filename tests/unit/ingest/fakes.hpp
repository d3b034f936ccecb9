#pragma once

#include "sensus/ingest/ingestor.hpp"
#include "sensus/runtime/signal.hpp"
#include "sensus/telemetry/metrics.hpp"

#include "support/coro_test.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace sensus::ingest {

/// What the fake writer did and shall do. Any thread.
class FakeDatabase {
 public:
  /// Outcomes of the next writes; success when none are scripted.
  void fail_next(Errc code, int times = 1) {
    const std::lock_guard lock(mutex_);
    failures_.insert(failures_.end(), static_cast<std::size_t>(times), code);
  }
  /// Takes over what another one has, as a database that a new process finds.
  void adopt(const FakeDatabase& other) {
    const std::scoped_lock lock(mutex_, other.mutex_);
    ids_ = other.ids_;
    ended_ = other.ended_;
  }
  /// A series row is removed by hand; its key gets a new id.
  void remove(const std::string& key) {
    const std::lock_guard lock(mutex_);
    removed_.insert(ids_.at(key));
    ids_.extract(key);
    ids_.emplace("(removed)" + key, 0);
  }
  /// While on, a write with events fails.
  void fail_events(bool on) {
    const std::lock_guard lock(mutex_);
    fail_events_ = on;
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    held_ = false;
    wake_.notify_all();
  }
  void cancel() {
    const std::lock_guard lock(mutex_);
    cancelled_ = running_;
    wake_.notify_all();
  }
  [[nodiscard]] std::vector<storage::SampleFlush> written() const {
    const std::lock_guard lock(mutex_);
    return written_;
  }
  [[nodiscard]] std::map<SeriesId, Timestamp> ended() const {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  [[nodiscard]] int attempts() const {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  [[nodiscard]] std::size_t rows() const {
    std::size_t out = 0;
    for (const auto& flush : written()) {
      out += flush.rows.size();
    }
    return out;
  }
  [[nodiscard]] std::size_t events() const {
    std::size_t out = 0;
    for (const auto& flush : written()) {
      out += flush.events.size();
    }
    return out;
  }

  Result<storage::FlushResult> write(const storage::SampleFlush& flush) {
    std::unique_lock lock(mutex_);
    ++attempts_;
    running_ = true;
    wake_.wait(lock, [this] { return !held_ || cancelled_; });
    running_ = false;
    if (std::exchange(cancelled_, false)) {
      return make_error(Errc::timeout, "cancelled");
    }
    if (!failures_.empty()) {
      const Errc code = failures_.front();
      failures_.pop_front();
      return make_error(code, "scripted");
    }
    if (fail_events_ && !flush.events.empty()) {
      return make_error(Errc::internal, "no outbox");
    }
    storage::FlushResult out;
    for (const std::string& key : flush.new_series) {
      const bool known = ids_.contains(key);
      if (known || out.created < flush.create_max) {
        out.new_series.push_back(ids_.try_emplace(key, static_cast<SeriesId>(ids_.size()) + 1).first->second);
        out.created += known ? 0 : 1;
      } else {
        out.new_series.push_back(0);
      }
    }
    end_and_resume(flush, out);
    out.touched = flush.touch;
    std::sort(out.touched->begin(), out.touched->end());
    std::erase_if(*out.touched, [this](SeriesId id) { return removed_.contains(id); });
    written_.push_back(flush);
    return out;
  }

 private:
  void end_and_resume(const storage::SampleFlush& flush, storage::FlushResult& out) {
    std::map<SeriesId, Timestamp> newest;
    const auto note = [&](std::int32_t reference, Timestamp time) {
      const SeriesId id = reference > 0 ? reference : out.new_series.at(static_cast<std::size_t>(-(reference + 1)));
      newest[id] = std::max(newest.try_emplace(id, time).first->second, time);
    };
    for (const storage::SampleRow& row : flush.rows) {
      if (row.series < 0) {
        note(row.series, row.time);
      }
    }
    for (const auto& one : flush.resumed) {
      note(one.series, one.newest);
    }
    for (const storage::SeriesEnd& end : flush.ends) {
      if (const auto known = ids_.find(end.key); known != ids_.end()) {
        ended_[known->second] = std::max(ended_.try_emplace(known->second, end.time).first->second, end.time);
        newest.try_emplace(known->second, Timestamp::min());
      }
    }
    for (const auto& [id, time] : newest) {
      if (const auto at = ended_.find(id); at != ended_.end() && at->second < time) {
        ended_.erase(at);
      } else if (at != ended_.end()) {
        out.ended.push_back(id);
      }
    }
  }

  std::map<SeriesId, Timestamp> ended_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool held_ = false;
  bool running_ = false;
  bool cancelled_ = false;
  bool fail_events_ = false;
  int attempts_ = 0;
  std::deque<Errc> failures_;
  std::map<std::string, SeriesId> ids_;
  std::set<SeriesId> removed_;
  std::vector<storage::SampleFlush> written_;
};

class FakeWriter final : public storage::SampleWriter {
 public:
  explicit FakeWriter(std::shared_ptr<FakeDatabase> database) : database_(std::move(database)) {}
  Result<storage::FlushResult> write_blocking(Deadline, const storage::SampleFlush& flush) override { return database_->write(flush); }
  void cancel() override { database_->cancel(); }

 private:
  std::shared_ptr<FakeDatabase> database_;
};

class FakeSampleStore final : public storage::SampleStore {
 public:
  std::vector<RawSample> stored;  ///< Oldest first.
  int failures = 0;               ///< So many reads fail with `unavailable`.
  int reads = 0;
  std::size_t active = 0;  ///< Series that the database has as active.
  int counts = 0;          ///< How often it was asked for them.
  int counts_fail = 0;
  std::size_t scanned = 0;   ///< Samples in the windows that were asked for, also those beyond the limit.
  bool read_to_end = false;  ///< The last page reached the newest sample.

  runtime::Async<std::vector<storage::SeriesInfo>> list_series(Deadline, TenantId, storage::SeriesQuery) override { co_return unused(); }
  runtime::Async<std::vector<storage::SeriesInfo>> series_by_id(Deadline, TenantId, std::vector<SeriesId>) override { co_return unused(); }
  runtime::Async<std::vector<storage::SeriesMatch>> match_series(Deadline, TenantId, std::vector<SeriesId>,
                                                                 std::vector<model::Selector>) override {
    co_return unused();
  }
  runtime::Async<std::vector<storage::RangeSeries>> read_samples(Deadline, TenantId, storage::SamplesQuery) override {
    co_return unused();
  }
  runtime::Async<std::vector<storage::RangeSeries>> query_range(Deadline, TenantId, storage::RangeQuery) override { co_return unused(); }
  runtime::Async<std::vector<StepMeans>> step_means(Deadline, TenantId, std::vector<SeriesId>, Timestamp, Timestamp,
                                                    std::chrono::seconds) override {
    co_return unused();
  }
  runtime::Async<std::vector<RawSample>> recent_samples(Deadline, TenantId, Timestamp from, Timestamp to, std::size_t limit) override {
    if (read_fails()) {
      co_return away();
    }
    std::vector<RawSample> out;
    for (const RawSample& raw : stored) {
      if (raw.sample.time >= from && raw.sample.time < to) {
        ++scanned;
        if (out.size() < limit) {
          out.push_back(raw);
        }
      }
    }
    read_to_end = out.size() < limit && (stored.empty() || to > stored.back().sample.time);
    co_return out;
  }
  runtime::Async<std::optional<Timestamp>> newest_sample(Deadline, TenantId, Timestamp last) override {
    if (read_fails()) {
      co_return away();
    }
    std::optional<Timestamp> out;
    for (const RawSample& raw : stored) {
      if (raw.sample.time <= last) {
        out = std::max(out.value_or(raw.sample.time), raw.sample.time);
      }
    }
    co_return out;
  }
  runtime::Async<std::vector<SeriesId>> ended(Deadline, TenantId, std::vector<SeriesId>) override { co_return std::vector<SeriesId>{}; }
  runtime::Async<std::size_t> count_active_series(Deadline, TenantId, std::chrono::seconds) override {
    ++counts;
    if (counts_fail > 0 && counts_fail-- > 0) {
      co_return away();
    }
    co_return active;
  }

 private:
  bool read_fails() {
    ++reads;
    return failures > 0 && failures-- > 0;
  }
  static Error unused() { return make_error(Errc::internal, "not used by ingest"); }
  static Error away() { return make_error(Errc::unavailable, "scripted"); }
};

class FakeAlertStore final : public storage::AlertStore {
 public:
  std::vector<storage::AlertOutcome> outcomes;
  std::optional<Errc> failure;
  std::shared_ptr<runtime::Signal> gate;  ///< When set, `store` waits for it.

  runtime::Async<std::vector<storage::AlertOutcome>> store(Deadline deadline, TenantId, model::AlertBatch, Timestamp) override {
    if (gate) {
      const bool open = co_await gate->wait(deadline);
      if (!open) {
        co_return make_error(Errc::timeout, "scripted");
      }
    }
    if (failure) {
      co_return make_error(*failure, "scripted");
    }
    co_return outcomes;
  }
  runtime::Async<storage::Page<model::Episode>> list(Deadline, TenantId, storage::AlertFilter) override { co_return unused(); }
  runtime::Async<model::Episode> get(Deadline, TenantId, EpisodeId) override { co_return unused(); }
  runtime::Async<std::vector<model::Episode>> overlapping(Deadline, TenantId, EpisodeId, Timestamp, Timestamp, std::size_t) override {
    co_return unused();
  }
  runtime::Async<Recurrence> recurrence(Deadline, TenantId, EpisodeId) override { co_return unused(); }

 private:
  static Error unused() { return make_error(Errc::internal, "not used by ingest"); }
};

inline const Timestamp kNow = parse_rfc3339("2026-06-01T12:00:00Z").value();

inline model::SampleBatch one_sample(const std::string& series, double value = 1, Timestamp time = kNow) {
  model::SampleBatch out;
  out.append(series, time, value);
  return out;
}

/// Polls in a coroutine test, because much of what is waited for happens on another thread. A macro and no function that takes the
/// condition: GCC 12 must not see a lambda within a co_await expression.
#define CO_UNTIL(condition)                                                   \
  for (const Deadline until_limit = Deadline::after(30s); !(condition);) {    \
    if (until_limit.expired()) {                                              \
      ADD_FAILURE() << "waited in vain: " << #condition;                      \
      co_return;                                                              \
    }                                                                         \
    static_cast<void>(co_await runtime::sleep(std::chrono::milliseconds{1})); \
  }                                                                           \
  static_assert(true)

/// An Ingestor over fakes, and the answers to what was sent to it.
class Bench {
 public:
  explicit Bench(runtime::Executor on, Options options = {}) : executor(on) {
    Ingestor::Deps deps{executor, std::make_unique<FakeWriter>(database), samples, alerts, clock, {}, metrics, [this] { ++outbox_wakes; }};
    ingestor.emplace(std::move(deps), options);
  }

  /// Starts an accept; its result lands in `results`.
  void send(model::SampleBatch batch, Deadline deadline = Deadline::after(10s)) {
    ++sent;
    boost::asio::co_spawn(executor, ingestor->accept(deadline, kDefaultTenant, std::move(batch)),
                          [this](const std::exception_ptr& failure, Result<std::size_t> result) {
                            EXPECT_EQ(failure, nullptr);
                            results.push_back(std::move(result));
                          });
  }
  void start() {
    boost::asio::co_spawn(executor, ingestor->run(), [](const std::exception_ptr& failure) { EXPECT_EQ(failure, nullptr); });
  }
  [[nodiscard]] bool all_answered() const { return results.size() == sent; }
  [[nodiscard]] bool attempted() const { return database->attempts() > 0; }
  [[nodiscard]] std::size_t count(Errc code) const {
    return static_cast<std::size_t>(
        std::count_if(results.begin(), results.end(), [code](const auto& r) { return !r && r.error().code == code; }));
  }
  [[nodiscard]] std::size_t accepted() const {
    return static_cast<std::size_t>(std::count_if(results.begin(), results.end(), [](const auto& r) { return r.has_value(); }));
  }
  /// Value of a line of the exposition, e.g. `name{label="x"}`; -1 when there is none.
  [[nodiscard]] double metric(const std::string& line) const {
    const std::string page = metrics.render();
    const std::size_t at = page.find("\n" + line + " ");
    return at == std::string::npos ? -1 : std::stod(page.substr(at + line.size() + 2));
  }

  runtime::Executor executor;
  std::shared_ptr<FakeDatabase> database = std::make_shared<FakeDatabase>();
  FakeSampleStore samples;
  FakeAlertStore alerts;
  ManualClock clock{kNow};
  telemetry::Metrics metrics;
  int outbox_wakes = 0;
  std::vector<Result<std::size_t>> results;
  std::size_t sent = 0;
  std::optional<Ingestor> ingestor;
};

}  // namespace sensus::ingest
