#include "sensus/storage/compaction.hpp"

#include "storage/retention_internal.hpp"
#include "storage/series_removal_internal.hpp"
#include "storage/upkeep_session_internal.hpp"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sensus::storage {
namespace {

using runtime::Async;

/// Series looked at in one interval: a million in a few hours.
constexpr std::int64_t kSeriesLooks = 50'000;

/// A bucket of a day that wants a step; without a bucket: a day that wants emptying only.
struct Work {
  std::string day;
  std::int64_t tenant = 0;
  std::optional<std::int64_t> bucket;
  std::int64_t batches = 0;
};

struct StepResult {
  bool busy = false;
  std::int64_t samples = 0;
  std::chrono::duration<double> took{};
};

struct Instruments {
  explicit Instruments(telemetry::Metrics& m)
      : samples(m.counter("sensus_compaction_samples_total", "Samples written into chunks.")),
        step_seconds(m.histogram("sensus_compaction_step_seconds",
                                 "Time to compact one bucket of a day.",
                                 {0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800})),
        rate(m.gauge("sensus_compaction_samples_per_second",
                     "Throughput of the last step that had samples.")),
        days(m.counter("sensus_compaction_partitions_emptied_total",
                       "Days whose batch rows were all compacted and dropped.")),
        backlog_buckets(m.gauge("sensus_compaction_backlog_buckets",
                                "Buckets of closed days that wait to be compacted.")),
        backlog_batches(m.gauge("sensus_compaction_backlog_batches",
                                "Rows of sample_batches that wait to be compacted.")),
        deferred(m.counter("sensus_compaction_deferred_total",
                           "Compacted days not emptied yet: late samples or older readers.")),
        failures(m.counter("sensus_compaction_failures_total", "Runs that ended with an error.")),
        retention_failures(m.counter("sensus_retention_failures_total",
                                     "Attempts to drop old partitions that ended with an error.")),
        last_success(m.gauge("sensus_compaction_last_success_timestamp_seconds",
                             "When a run last ended with nothing left to compact.")) {}
  telemetry::Counter samples;
  telemetry::Histogram step_seconds;
  telemetry::Gauge rate;
  telemetry::Counter days;
  telemetry::Gauge backlog_buckets;
  telemetry::Gauge backlog_batches;
  telemetry::Counter deferred;
  telemetry::Counter failures;
  telemetry::Counter retention_failures;
  telemetry::Gauge last_success;
};

std::vector<Work> load_backlog(pg::Tx& tx, Timestamp until) {
  const pg::Rows rows =
      tx.exec("select day, tenant_id, bucket, batches from sensus.compaction_backlog($1)",
              pg::Params().time(until));
  std::vector<Work> backlog;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Work work;
    work.day = std::string(rows.text(i, 0));
    if (!rows.is_null(i, 2)) {
      work.tenant = rows.integer(i, 1);
      work.bucket = rows.integer(i, 2);
    }
    work.batches = rows.integer(i, 3);
    backlog.push_back(std::move(work));
  }
  return backlog;
}

StepResult compact(pg::Tx& tx, const Work& work) {
  const auto began = std::chrono::steady_clock::now();
  const pg::Rows rows =
      tx.exec("select sensus.compact_bucket($1::date, $2::int, $3::smallint)",
              pg::Params().text(work.day).integer(work.tenant).integer(*work.bucket));
  StepResult result;
  result.busy = rows.is_null(0, 0);
  result.samples = result.busy ? 0 : rows.integer(0, 0);
  result.took = std::chrono::steady_clock::now() - began;
  return result;
}

std::string finish(pg::Tx& tx, const std::string& day) {
  const pg::Rows rows =
      tx.exec("select sensus.finish_compaction($1::date)", pg::Params().text(day));
  return std::string(rows.text(0, 0));
}

}  // namespace

struct Compactor::Impl {
  Impl(Deps deps, CompactionOptions opts, RetentionOptions kept)
      : options(opts),
        clock(deps.clock),
        log(deps.log),
        session(deps.executor, std::move(deps.database), opts.step_timeout, deps.log, deps.metrics),
        metrics(deps.metrics),
        retention(session, std::move(kept), deps.clock, deps.log, deps.metrics),
        series(session, deps.metrics) {}

  Async<std::vector<Work>> backlog() {
    const Timestamp until = clock.now() - options.closed_after;
    std::function<std::vector<Work>(pg::Tx&)> job = [until](pg::Tx& tx) {
      return load_backlog(tx, until);
    };
    auto found = co_await session.run<std::vector<Work>>(std::move(job));
    co_return found;
  }

  Async<StepResult> step(Work work) {
    std::function<StepResult(pg::Tx&)> job = [work](pg::Tx& tx) { return compact(tx, work); };
    auto done = co_await session.run<StepResult>(std::move(job));
    if (done && !done->busy) {
      const double seconds = done->took.count();
      metrics.samples.inc(static_cast<double>(done->samples));
      metrics.step_seconds.observe(seconds);
      if (done->samples > 0 && seconds > 0) {
        metrics.rate.set(static_cast<double>(done->samples) / seconds);
      }
    }
    co_return done;
  }

  /// Empties a day. One that changed, or that an older statement still reads, waits for the next
  /// run.
  Async<> end_day(std::string day, Report& report) {
    std::function<std::string(pg::Tx&)> job = [day](pg::Tx& tx) { return finish(tx, day); };
    const auto outcome = co_await session.run<std::string>(std::move(job));
    if (!outcome && outcome.error().code != Errc::timeout) {
      co_return outcome.error();
    }
    if (outcome && *outcome == "emptied") {
      ++report.days_emptied;
      metrics.days.inc();
      co_return Result<>{};
    }
    metrics.deferred.inc();
    log.debug("a compacted day is emptied later",
              {{"day", day}, {"reason", outcome ? *outcome : std::string("locked")}});
    co_return Result<>{};
  }

  void show(const std::vector<Work>& backlog, std::size_t from) {
    std::int64_t buckets = 0;
    std::int64_t batches = 0;
    for (std::size_t i = from; i < backlog.size(); ++i) {
      buckets += backlog[i].bucket ? 1 : 0;
      batches += backlog[i].batches;
    }
    metrics.backlog_buckets.set(static_cast<double>(buckets));
    metrics.backlog_batches.set(static_cast<double>(batches));
  }

  Async<Report> pass(bool rest) {
    Report report;
    const auto work = co_await backlog();
    if (!work) {
      co_return work.error();
    }
    for (std::size_t i = 0; i < work->size(); ++i) {
      show(*work, i);
      const Work& item = (*work)[i];
      if (item.bucket) {
        const auto done = co_await step(item);
        if (!done) {
          co_return done.error();
        }
        if (done->busy) {
          report.busy = true;
          co_return report;
        }
        ++report.buckets;
        report.samples += done->samples;
        if (rest) {
          const auto pause = std::chrono::duration_cast<Duration>(done->took);
          const Result<> slept = co_await runtime::sleep(pause);
          if (!slept) {
            co_return slept.error();
          }
        }
      }
      if (i + 1 == work->size() || (*work)[i + 1].day != item.day) {
        const Result<> ended = co_await end_day(item.day, report);
        if (!ended) {
          co_return ended.error();
        }
      }
    }
    show(*work, work->size());
    metrics.last_success.set(static_cast<double>(to_unix_us(clock.now())) / 1e6);
    co_return report;
  }

  runtime::Task loop() {
    while (true) {
      const Result<> slept = co_await runtime::sleep(options.interval);
      if (!slept) {
        co_return;
      }
      if (options.enabled) {
        const Result<> compacted = co_await compact_and_report();
        if (!compacted) {
          co_return;
        }
      }
      const Result<> retained = co_await delete_old();
      if (!retained) {
        if (retained.error().code == Errc::cancelled) {
          co_return;
        }
        metrics.retention_failures.inc();
        log.throttled(telemetry::LogLevel::error, "retention",
                      "old partitions cannot be dropped; the disk fills until they are, and the "
                      "next run tries again",
                      {{"error", retained.error().message}});
      }
    }
  }

  Async<> delete_old() {
    const auto retained = co_await retention.apply();
    if (!retained) {
      co_return retained.error();
    }
    const auto removed = co_await series.run(kSeriesLooks);
    if (!removed) {
      co_return removed.error();
    }
    if (*removed > 0) {
      log.info("removed series of which no sample is kept", {{"series", *removed}});
    }
    co_return Result<>{};
  }

  /// An error only when the work was cancelled.
  Async<> compact_and_report() {
    const auto report = co_await pass(true);
    if (!report) {
      if (report.error().code == Errc::cancelled) {
        co_return report.error();
      }
      metrics.failures.inc();
      log.throttled(telemetry::LogLevel::error, "compaction",
                    "closed days cannot be compacted; samples stay readable but large, and the "
                    "next run tries again",
                    {{"error", report.error().message}});
    } else if (report->buckets > 0) {
      log.info("compacted samples", {{"buckets", report->buckets},
                                     {"samples", report->samples},
                                     {"days_emptied", report->days_emptied}});
    }
    co_return Result<>{};
  }

  CompactionOptions options;
  const Clock& clock;
  telemetry::Log log;
  UpkeepSession session;
  Instruments metrics;
  Retention retention;
  SeriesRemoval series;
};

Compactor::Compactor(Deps deps, CompactionOptions options, RetentionOptions retention)
    : impl_(std::make_shared<Impl>(std::move(deps), options, std::move(retention))) {}
Compactor::~Compactor() { stop_blocking(); }

Async<Compactor::Report> Compactor::run_once() {
  const std::shared_ptr<Impl> impl = impl_;
  auto report = co_await impl->pass(false);
  co_return report;
}

Async<Compactor::Retained> Compactor::apply_retention() {
  const std::shared_ptr<Impl> impl = impl_;
  auto retained = co_await impl->retention.apply();
  co_return retained;
}

Async<std::int64_t> Compactor::remove_idle_series() {
  const std::shared_ptr<Impl> impl = impl_;
  auto removed = co_await impl->series.run(std::numeric_limits<std::int64_t>::max());
  co_return removed;
}

runtime::Task Compactor::run() {
  const std::shared_ptr<Impl> impl = impl_;
  co_await impl->loop();
}

void Compactor::stop_blocking() {
  impl_->session.stop_blocking();
}

}  // namespace sensus::storage
