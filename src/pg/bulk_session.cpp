#include "sensus/pg/bulk_session.hpp"

#include "pg/conninfo_internal.hpp"
#include "pg/pg_metrics_internal.hpp"
#include "pg/sqlstate_internal.hpp"
#include "pg/wire_internal.hpp"
#include "sensus/runtime/backoff.hpp"

#include <mutex>
#include <thread>

namespace sensus::pg {
namespace {

constexpr int kConflictRetries = 3;

/// BEGIN goes out with the first `exec`, or, when there is none, in front of the copies.
class Transaction final : public BulkTx {
 public:
  Transaction(Wire& wire, std::chrono::milliseconds statement_limit)
      : wire_(wire),
        begin_("begin; set local statement_timeout = " + std::to_string(statement_limit.count()) +
               "; ") {}

  Rows exec(std::string_view sql, const Params& params) override {
    if (!begun_) {
      bool ignored = false;
      begun_ = true;
      wire_.run(begin_, {}, &ignored);
    }
    return wire_.query(sql, params);
  }

  void copy(std::string_view statement, CopyBuffer rows) override {
    if (rows.rows() > 0) {
      statements_ += std::string(statement) + "; ";
      buffers_.push_back(std::move(rows));
    }
  }

  /// `*committing` becomes true when the server may have committed.
  void commit(bool* committing) {
    std::vector<const std::string*> copies;
    for (const CopyBuffer& buffer : buffers_) {
      copies.push_back(&buffer.data());
    }
    wire_.run((begun_ ? "" : begin_) + statements_ + "commit", copies, committing);
  }

 private:
  Wire& wire_;
  std::string begin_;
  bool begun_ = false;
  std::string statements_;
  std::vector<CopyBuffer> buffers_;
};

}  // namespace

struct BulkSession::Impl {
  Impl(const Options& opts, telemetry::Log l, telemetry::Metrics& m)
      : options(opts), log(std::move(l)), metrics(m), backoff({100ms, 3000ms}) {}

  enum class Next { done, again };

  Result<> connect() {
    if (wire) {
      return {};
    }
    if (std::chrono::steady_clock::now() < not_before) {
      return make_error(Errc::unavailable, "the database is not available");
    }
    SENSUS_TRY(const std::string conninfo, make_conninfo(options.url, options, "sensus writer"));
    try {
      auto fresh = std::make_unique<Wire>(conninfo);
      const std::lock_guard lock(mutex);
      wire = std::move(fresh);
      if (cancelled) {
        wire->stop();
      }
      backoff.reset();
      return {};
    } catch (const SqlFailure& e) {
      const auto delay = backoff.next();
      not_before = std::chrono::steady_clock::now() + delay;
      metrics.count_error(classify(e.sqlstate()).error_class);
      log.throttled(telemetry::LogLevel::error, "connect",
                    "the writer of samples cannot open its session; check that PostgreSQL runs and "
                    "that database.url is right",
                    {{"reason", e.what()}, {"retry_in_ms", delay.count()}});
      return make_error(Errc::unavailable, "the database is not available");
    }
  }

  void drop() {
    const std::lock_guard lock(mutex);
    wire.reset();
  }

  std::chrono::milliseconds statement_limit(Deadline deadline) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::min<Duration>(deadline.remaining(), options.statement_timeout));
    return std::max(1ms, left - std::min(50ms, left / 10));
  }

  Next attempt(Deadline deadline, const Job& job, Result<>& result) {
    bool committing = false;
    try {
      wire->set_deadline(deadline);
      Transaction tx(*wire, statement_limit(deadline));
      result = job(tx);
      if (!result) {
        if (!wire->rollback()) {
          drop();
        }
        return Next::done;
      }
      tx.commit(&committing);
      return Next::done;
    } catch (const SqlFailure& e) {
      return handle(e, committing, result);
    } catch (const std::exception& e) {
      log.error("a bulk write failed by a bug", {{"what", e.what()}});
      drop();
      result = make_error(Errc::internal, "unexpected failure of a bulk write");
      return Next::done;
    }
  }

  Next handle(const SqlFailure& failure, bool committing, Result<>& result) {
    Verdict verdict = classify(failure.sqlstate());
    if (failure.lost()) {
      const bool late = verdict.code == Errc::timeout;
      verdict = {
          late ? Errc::timeout : Errc::unavailable, Reaction::replace,
          late ? "timeout" : "connection",
          late ? "the database did not answer in time" : "the connection to the database was lost"};
      if (committing) {
        verdict.code = Errc::in_doubt;
        verdict.advice = "the connection was lost during COMMIT; repeating the request is safe";
        metrics.in_doubt.inc();
      }
    }
    metrics.count_error(verdict.error_class);
    log.throttled(telemetry::LogLevel::warning, verdict.error_class,
                  std::string("a bulk write failed: ") + std::string(verdict.advice),
                  {{"sqlstate", failure.sqlstate()}, {"reason", failure.what()}});
    result = make_error(verdict.code, std::string(verdict.advice));
    if (verdict.reaction == Reaction::replace || verdict.reaction == Reaction::replan ||
        !wire->rollback()) {
      metrics.discarded.inc();
      drop();
    }
    return next_step(verdict);
  }

  Next next_step(const Verdict& verdict) {
    if (verdict.reaction == Reaction::run_again && conflicts_left > 0) {
      --conflicts_left;
      metrics.count_retry("conflict");
      std::this_thread::sleep_for(
          std::chrono::milliseconds(std::uniform_int_distribution<int>(1, 20)(random)));
      return Next::again;
    }
    if (verdict.reaction == Reaction::replace && verdict.code == Errc::unavailable &&
        sessions_left > 0) {
      --sessions_left;
      metrics.count_retry("session_lost");
      return Next::again;
    }
    return Next::done;
  }

  const Options options;
  telemetry::Log log;
  PgMetrics metrics;
  runtime::Backoff backoff;
  std::minstd_rand random{std::random_device{}()};
  std::chrono::steady_clock::time_point not_before{};
  int conflicts_left = 0;
  int sessions_left = 0;

  std::mutex mutex;  // Guards `wire` against `cancel`, and `cancelled`.
  std::unique_ptr<Wire> wire;
  bool cancelled = false;
};

BulkSession::BulkSession(const Options& options, telemetry::Log log, telemetry::Metrics& metrics)
    : impl_(std::make_unique<Impl>(options, std::move(log), metrics)) {}

BulkSession::~BulkSession() = default;

Result<> BulkSession::write_blocking(Deadline deadline, const Job& job) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->cancelled = false;
    if (impl_->wire) {
      impl_->wire->clear_stop();  // Of a `cancel` that found nothing to stop.
    }
  }
  impl_->conflicts_left = kConflictRetries;
  impl_->sessions_left = 1;
  const auto began = std::chrono::steady_clock::now();
  Result<> result;
  do {
    if (deadline.expired()) {
      return make_error(Errc::timeout, "the database did not answer in time");
    }
    if (Result<> connected = impl_->connect(); !connected) {
      return connected;
    }
  } while (impl_->attempt(deadline, job, result) == Impl::Next::again);
  impl_->metrics.seconds.observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  return result;
}

void BulkSession::cancel() {
  const std::lock_guard lock(impl_->mutex);
  impl_->cancelled = true;
  if (impl_->wire) {
    impl_->wire->stop();
  }
}

}  // namespace sensus::pg
