#include "anomaly_worker_internal.hpp"
#include "model_jobs_internal.hpp"

#include <nlohmann/json.hpp>

namespace sensus::analysis {
namespace {

constexpr std::chrono::seconds kReadLimit{30};
constexpr std::chrono::seconds kWriteLimit{10};
constexpr std::chrono::seconds kMeasureLimit{60};
constexpr std::chrono::seconds kStep{60};
constexpr std::size_t kChunk = 10;        ///< Series a query reads and a bite of the cpu pool works on: tens of milliseconds.
constexpr std::size_t kListed = 500;      ///< Series a page of the list holds.
constexpr std::chrono::hours kStatesIdle{30 * 24};
constexpr std::size_t kStatesPurged = 10'000;

struct MeasureJob {
  std::vector<storage::SampleStore::StepMeans> means;
  std::map<SeriesId, SeriesKind> kinds;
  ml::DetectorParams params;
  Quality quality;
  std::atomic<bool> cancelled = false;
};

/// The configured parameters, and what the job says otherwise. The API has checked the bounds.
Result<ml::DetectorParams> params_of_job(const AnomalyOptions& configured, const std::string& json) {
  ml::DetectorParams params = detector_params(configured);
  const auto object = nlohmann::json::parse(json, nullptr, false);
  if (!object.is_object()) {
    return make_error(Errc::corrupt, "the parameters of the job are no JSON object");
  }
  return parse_parameters(json, params);
}

bool wants_activation(const std::string& json) {
  const auto object = nlohmann::json::parse(json, nullptr, false);
  return object.is_object() && object.value("activate", false);
}

std::string render_result(std::int64_t version_id, const std::string& quality_json) {
  return "{\"version_id\":" + std::to_string(version_id) + ",\"quality\":" + quality_json + "}";
}

}  // namespace

runtime::Async<Quality> ModelJobs::Impl::measure_chunk(ml::DetectorParams params, std::map<SeriesId, SeriesKind> series, Timestamp from,
                                                       Timestamp to) {
  std::vector<SeriesId> ids;
  for (const auto& [id, kind] : series) {
    ids.push_back(id);
  }
  const Deadline reading = Deadline::after(kReadLimit);
  auto means = co_await deps.samples.step_means(reading, kDefaultTenant, std::move(ids), from, to, kStep);
  if (!means) {
    co_return std::move(means).error();
  }
  const auto job = std::make_shared<MeasureJob>();
  job->means = std::move(*means);
  job->kinds = std::move(series);
  job->params = params;
  std::function<Result<bool>(runtime::JobContext&)> work = [job](runtime::JobContext& context) -> Result<bool> {
    context.on_cancel([job] { job->cancelled = true; });
    const auto began = std::chrono::steady_clock::now();
    for (const storage::SampleStore::StepMeans& one : job->means) {
      if (!job->cancelled) {
        measure(params_of(job->params, {kDefaultTenant, one.series}), job->kinds.at(one.series), one.points, job->quality);
      }
    }
    job->quality.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return true;
  };
  const Deadline measuring = Deadline::after(kMeasureLimit);
  Result<bool> measured = co_await deps.cpu.submit<bool>(measuring, std::move(work));
  if (!measured) {
    co_return std::move(measured).error();
  }
  co_return job->quality;
}

runtime::Async<ModelJobs::Impl::Measured> ModelJobs::Impl::measure_stored(Running& running, ml::DetectorParams params,
                                                                          double progress_from) {
  Measured out;
  out.to = std::chrono::floor<std::chrono::minutes>(deps.clock.now());
  out.from = out.to - std::chrono::duration_cast<std::chrono::microseconds>(options.measured_window);
  std::vector<std::pair<SeriesId, SeriesKind>> chosen;
  storage::SeriesQuery query;
  query.limit = kListed;
  while (chosen.size() < static_cast<std::size_t>(options.measured_series)) {
    const Deadline listing = Deadline::after(kReadLimit);
    storage::SeriesQuery page_query = query;
    const Result<std::vector<storage::SeriesInfo>> page =
        co_await deps.samples.list_series(listing, kDefaultTenant, std::move(page_query));
    if (!page) {
      co_return page.error();
    }
    for (const storage::SeriesInfo& series : *page) {
      if (series.last_seen >= out.from && chosen.size() < static_cast<std::size_t>(options.measured_series)) {
        chosen.emplace_back(series.id, kind_of(series.metric_name, std::nullopt));
      }
    }
    if (page->size() < query.limit) {
      break;
    }
    query.after = page->back().id;
  }
  for (std::size_t begin = 0; begin < chosen.size(); begin += kChunk) {
    const double done = static_cast<double>(begin) / static_cast<double>(chosen.size());
    Result<> kept = co_await keep(running, progress_from + (1 - progress_from) * done);
    if (!kept) {
      co_return std::move(kept).error();
    }
    const auto first = chosen.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = chosen.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kChunk, chosen.size()));
    std::map<SeriesId, SeriesKind> chunk(first, last);
    Result<Quality> part = co_await measure_chunk(params, std::move(chunk), out.from, out.to);
    if (!part) {
      co_return std::move(part).error();
    }
    add(out.quality, *part);
  }
  co_return out;
}

runtime::Async<std::string> ModelJobs::Impl::train(Running& running) {
  const Result<ml::DetectorParams> params = params_of_job(deps.configured, running.job.parameters_json);
  if (!params) {
    co_return params.error();
  }
  const Result<Measured> measured = co_await measure_stored(running, *params, 0);
  if (!measured) {
    co_return measured.error();
  }
  model::ModelVersion version = make_version(*params, deps.clock.now());
  version.quality_json = render_quality(measured->quality);
  version.training_from = measured->from;
  version.training_to = measured->to;
  const Deadline deadline = Deadline::after(kWriteLimit);
  Result<model::ModelVersion> stored = make_error(Errc::internal, "not stored");
  if (wants_activation(running.job.parameters_json)) {
    version.is_pinned = true;
    stored = co_await deps.models.publish(deadline, kDefaultTenant, std::move(version));
  } else {
    stored = co_await deps.models.add(deadline, kDefaultTenant, std::move(version));
  }
  if (!stored) {
    co_return std::move(stored).error();
  }
  co_return render_result(stored->id, render_quality(measured->quality));
}

runtime::Async<std::string> ModelJobs::Impl::evaluate(Running& running) {
  const Deadline reading = Deadline::after(kWriteLimit);
  std::string algorithm(kAlgorithm);
  const Result<model::ModelVersion> active = co_await deps.models.active(reading, kDefaultTenant, std::move(algorithm));
  if (!active) {
    co_return active.error();
  }
  const Result<ml::DetectorParams> params = parse_parameters(active->parameters_json, {});
  if (!params) {
    co_return params.error();
  }
  const Result<Measured> measured = co_await measure_stored(running, *params, 0);
  if (!measured) {
    co_return measured.error();
  }
  std::string quality = render_quality(measured->quality);
  const Deadline writing = Deadline::after(kWriteLimit);
  Result<> set = co_await deps.models.set_quality(writing, kDefaultTenant, active->id, quality, measured->from, measured->to);
  if (!set) {
    co_return std::move(set).error();
  }
  co_return render_result(active->id, quality);
}

/// The detectors in use rebuild their forests; a version of the same parameters records that and how good it is.
runtime::Async<std::string> ModelJobs::Impl::retrain(Running& running) {
  const Deadline reading = Deadline::after(kWriteLimit);
  std::string algorithm(kAlgorithm);
  const Result<model::ModelVersion> active = co_await deps.models.active(reading, kDefaultTenant, std::move(algorithm));
  if (!active) {
    co_return active.error();
  }
  const Result<ml::DetectorParams> params = parse_parameters(active->parameters_json, {});
  if (!params) {
    co_return params.error();
  }
  Result<std::size_t> retrained = co_await deps.worker.retrain();
  if (!retrained) {
    co_return std::move(retrained).error();
  }
  const Result<Measured> measured = co_await measure_stored(running, *params, 0.3);
  if (!measured) {
    co_return measured.error();
  }
  model::ModelVersion version = make_version(*params, deps.clock.now());
  version.is_pinned = active->is_pinned;
  version.quality_json = render_quality(measured->quality);
  version.training_from = measured->from;
  version.training_to = measured->to;
  const Deadline writing = Deadline::after(kWriteLimit);
  const Result<model::ModelVersion> stored = co_await deps.models.publish(writing, kDefaultTenant, std::move(version));
  if (!stored) {
    co_return stored.error();
  }
  const auto kept = static_cast<std::size_t>(options.versions_kept);
  std::string of_algorithm(kAlgorithm);
  const Result<std::size_t> purged = co_await deps.models.purge(writing, kDefaultTenant, std::move(of_algorithm), kept);
  const Result<std::size_t> swept = co_await deps.states.purge(writing, kDefaultTenant, kStatesIdle, kStatesPurged);
  if (!purged || !swept) {
    tell_failure(!purged ? purged.error() : swept.error());  // The next night does it.
  }
  co_return render_result(stored->id, render_quality(measured->quality));
}

runtime::Async<std::string> ModelJobs::Impl::work(Running& running) {
  switch (running.job.kind) {
    case model::JobKind::retrain: return retrain(running);
    case model::JobKind::evaluate: return evaluate(running);
    case model::JobKind::train: return train(running);
  }
  return train(running);
}

}  // namespace sensus::analysis
