#pragma once

#include "sensus/analysis/model_jobs.hpp"
#include "sensus/runtime/signal.hpp"

#include "model_quality_internal.hpp"
#include "timetable_internal.hpp"

#include <array>
#include <map>
#include <optional>
#include <string>

namespace sensus::analysis {

struct JobMetrics {
  explicit JobMetrics(telemetry::Metrics& metrics);
  struct OfKind {
    telemetry::Counter done;
    telemetry::Counter failed;
    telemetry::Gauge last_success;
    telemetry::Gauge last_duration;
  };
  [[nodiscard]] OfKind& of(model::JobKind kind) { return kinds[static_cast<std::size_t>(kind)]; }
  std::array<OfKind, 3> kinds;  ///< By JobKind.
  telemetry::Counter caught_up;
  telemetry::Counter store_failures;
};

struct ModelJobs::Impl : std::enable_shared_from_this<ModelJobs::Impl> {
  Impl(Deps d, ModelOptions o, Timetable retraining, Timetable evaluation);

  /// The figures of detectors of `params` on the newest window of some series, and that window.
  struct Measured {
    Quality quality;
    Timestamp from;
    Timestamp to;
  };
  /// The job in hand; its lease is renewed as it goes on.
  struct Running {
    model::Job job;
    std::chrono::steady_clock::time_point kept_at;
  };

  // model_jobs.cpp
  static runtime::Task run(std::shared_ptr<Impl> self);
  runtime::Async<> look_at_schedule();
  runtime::Async<> make_due(model::JobKind kind, const Timetable& table);
  runtime::Async<bool> run_next();
  /// `cancelled` when the job is somebody else's by now or the daemon stops.
  runtime::Async<> keep(Running& running, double progress);
  void tell_failure(const Error& error);

  // model_work.cpp
  runtime::Async<std::string> work(Running& running);
  runtime::Async<std::string> retrain(Running& running);
  runtime::Async<std::string> evaluate(Running& running);
  runtime::Async<std::string> train(Running& running);
  runtime::Async<Measured> measure_stored(Running& running, ml::DetectorParams params, double progress_from);
  runtime::Async<Quality> measure_chunk(ml::DetectorParams params, std::map<SeriesId, SeriesKind> series, Timestamp from, Timestamp to);

  Deps deps;
  ModelOptions options;
  JobMetrics metrics;
  Timetable retraining;
  Timetable evaluation;
  std::map<model::JobKind, Timestamp> made_until;  ///< The latest due time of each kind that is taken care of.
  std::optional<runtime::Signal> woken;
  bool stopped = false;
};

}  // namespace sensus::analysis
