#include "sensus/analysis/forecaster.hpp"

#include "anomaly_worker_internal.hpp"
#include "forecast_job_internal.hpp"


#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace sensus::analysis {
namespace {

constexpr std::size_t kRunningMax = 4;
constexpr std::size_t kListed = 1000;
constexpr std::chrono::hours kInUse{25};  ///< `last_seen` lags behind.

telemetry::Counter forecasts(telemetry::Metrics& metrics, std::string_view outcome) {
  return metrics.counter("sensus_analysis_forecasts_total",
                         "Requests for forecasts by what became of them: answered, refused (four "
                         "were under way), failed (of the caller or of a "
                         "store).",
                         {{"outcome", outcome}});
}

Result<> check(const model::ForecastQuery& query) {
  if (query.horizon <= 0s || query.horizon > model::kForecastHorizonMax) {
    return make_error(Errc::invalid_input, "horizon may be at most 30d", "horizon");
  }
  if (query.step < model::kForecastStepMin || query.step > query.horizon) {
    return make_error(Errc::invalid_input, "step may be 1m to the horizon", "step");
  }
  if (static_cast<std::size_t>(query.horizon / query.step) > model::kForecastPointsMax) {
    return make_error(Errc::invalid_input,
                      "a forecast has at most 2000 points: widen step or shorten horizon", "step");
  }
  return {};
}

Timestamp floor_to(Timestamp time, std::chrono::seconds step) {
  return Timestamp{time.time_since_epoch() -
                   time.time_since_epoch() % std::chrono::microseconds(step)};
}

}  // namespace

/// Members are used on the reactor only; coroutines hold it by shared_ptr because the forecaster
/// may be destroyed while they wait.
struct Forecaster::Impl {
  using Series = std::vector<storage::SeriesInfo>;
  using Forecasts = std::vector<model::SeriesForecast>;

  Impl(Deps d, AnomalyOptions o, std::chrono::seconds s)
      : deps(d),
        options(std::move(o)),
        step(s > 0s ? s : std::chrono::seconds{60}),
        answered(forecasts(d.metrics, "answered")),
        refused(forecasts(d.metrics, "refused")),
        failed(forecasts(d.metrics, "failed")),
        seconds(d.metrics.histogram("sensus_analysis_forecast_seconds",
                                    "Time of one answered request for forecasts.",
                                    telemetry::latency_buckets())) {}

  static runtime::Async<Forecasts> forecast(std::shared_ptr<Impl> self, Deadline deadline,
                                            TenantId tenant, model::ForecastQuery query) {
    if (self->running == kRunningMax) {
      self->refused.inc();
      co_return make_error(Errc::overloaded, "four forecasts are under way already; try again");
    }
    const Place place(*self);
    const auto began = self->deps.clock.steady_now();
    Result<Forecasts> made = co_await self->make(deadline, tenant, std::move(query));
    if (made) {
      self->answered.inc();
      self->seconds.observe(
          std::chrono::duration<double>(self->deps.clock.steady_now() - began).count());
    } else {
      self->failed.inc();
    }
    co_return made;
  }

 private:
  /// Counts one that is under way.
  class Place {
   public:
    explicit Place(Impl& impl) : impl_(impl) { ++impl_.running; }
    ~Place() { --impl_.running; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    Impl& impl_;
  };

  runtime::Async<Forecasts> make(Deadline deadline, TenantId tenant, model::ForecastQuery query) {
    if (Result<> checked = check(query); !checked) {
      co_return std::move(checked).error();
    }
    Result<Series> series = co_await find(deadline, tenant, query);
    if (!series) {
      co_return std::move(series).error();
    }
    const auto job = std::make_shared<ForecastJob>();
    job->query = std::move(query);
    job->now = deps.clock.now();
    Result<> prepared = co_await prepare(deadline, tenant, std::move(*series), *job);
    if (!prepared) {
      co_return std::move(prepared).error();
    }
    Result<> loaded = co_await load_states(deadline, tenant, job);
    if (!loaded) {
      co_return std::move(loaded).error();
    }
    Result<> caught_up = co_await load_steps(deadline, tenant, *job, true);
    if (!caught_up) {
      co_return std::move(caught_up).error();
    }
    Result<> history = co_await load_steps(deadline, tenant, *job, false);
    if (!history) {
      co_return std::move(history).error();
    }
    Result<> ran = co_await submit(deadline, job, run);
    if (!ran) {
      co_return std::move(ran).error();
    }
    Forecasts out;
    for (ForecastJob::Series& one : job->series) {
      out.push_back(std::move(one.forecast));
    }
    co_return out;
  }

  /// Those in use, or where none is, those of long ago.
  runtime::Async<Series> find(Deadline deadline, TenantId tenant, model::ForecastQuery query) {
    Result<Series> found = Series{};
    if (query.series != 0) {
      std::vector<SeriesId> ids(1, query.series);
      found = co_await deps.samples.series_by_id(deadline, tenant, std::move(ids));
    } else {
      storage::SeriesQuery listing;
      listing.selector = std::move(query.selector);
      listing.limit = kListed;
      found = co_await deps.samples.list_series(deadline, tenant, std::move(listing));
    }
    if (!found) {
      co_return std::move(found).error();
    }
    if (found->empty()) {
      co_return make_error(Errc::not_found, "no series matches", "series");
    }
    const bool all_listed = found->size() < kListed;
    const Timestamp since = deps.clock.now() - kInUse;
    if (std::ranges::any_of(
            *found, [since](const storage::SeriesInfo& one) { return one.last_seen >= since; })) {
      std::erase_if(*found,
                    [since](const storage::SeriesInfo& one) { return one.last_seen < since; });
    }
    if (!all_listed || found->size() > model::kForecastSeriesMax) {
      co_return make_error(Errc::invalid_input, "more than 10 series match: ask for fewer",
                           "series");
    }
    co_return found;
  }

  runtime::Async<> prepare(Deadline deadline, TenantId tenant, Series series, ForecastJob& job) {
    std::vector<std::string> names;
    for (const storage::SeriesInfo& one : series) {
      names.push_back(one.metric_name);
    }
    Result<storage::MetadataStore::ByMetric> metadata =
        co_await deps.metadata.of_metrics(deadline, tenant, std::move(names));
    if (!metadata) {
      co_return std::move(metadata).error();
    }
    std::string algorithm(kAlgorithm);
    Result<model::ModelVersion> version =
        co_await deps.models.active(deadline, kDefaultTenant, std::move(algorithm));
    if (!version && version.error().code != Errc::not_found) {
      co_return std::move(version).error();
    }
    job.params = detector_params(options);
    if (version) {
      // As the worker has it: what cannot be understood is not used.
      const Result<ml::DetectorParams> params = parse_parameters(version->parameters_json, {});
      job.params = params ? *params : job.params;
    }
    for (storage::SeriesInfo& one : series) {
      ForecastJob::Series& added = job.series.emplace_back();
      added.label = {{tenant, one.id}, key_of(job.params), Timestamp{}};
      added.forecast = {
          .id = one.id, .metric_name = std::move(one.metric_name), .labels = std::move(one.labels)};
      const auto said = metadata->find(added.forecast.metric_name);
      added.kind = kind_of(added.forecast.metric_name, said == metadata->end() ? std::nullopt : std::optional(said->second.type));
      added.forecast.is_rate = added.kind != SeriesKind::values;
    }
    co_return Result<>{};
  }

  runtime::Async<> load_states(Deadline deadline, TenantId tenant,
                               std::shared_ptr<ForecastJob> job) {
    std::vector<SeriesId> ids;
    for (const ForecastJob::Series& one : job->series) {
      ids.push_back(one.forecast.id);
    }
    std::string model_key = key_of(job->params);
    Result<std::vector<storage::DetectorState>> states =
        co_await deps.states.load(deadline, tenant, std::move(model_key), std::move(ids));
    if (!states) {
      co_return std::move(states).error();
    }
    const Timestamp oldest = job->now - std::chrono::microseconds(options.history);
    for (storage::DetectorState& state : *states) {
      const auto one = std::ranges::find(
          job->series, state.series, [](const ForecastJob::Series& s) { return s.forecast.id; });
      if (one != job->series.end() && state.last_time >= oldest) {
        one->label.last_time = state.last_time;
        one->bytes = std::move(state.bytes);
      }
    }
    Result<> opened = co_await submit(deadline, std::move(job), open_states);
    co_return opened;
  }

  /// What was stored since the states, or all of the past for those without one.
  runtime::Async<> load_steps(Deadline deadline, TenantId tenant, ForecastJob& job, bool restored) {
    const Timestamp to = floor_to(job.now, step);
    Timestamp from = restored ? to : to - std::chrono::microseconds(options.history);
    std::vector<SeriesId> ids;
    for (const ForecastJob::Series& one : job.series) {
      if (restored == (one.scorer != nullptr)) {
        ids.push_back(one.forecast.id);
        from = restored ? std::min(from, one.label.last_time) : from;
      }
    }
    if (ids.empty() || from >= to) {
      co_return Result<>{};
    }
    Result<std::vector<storage::SampleStore::StepMeans>> means =
        co_await deps.samples.step_means(deadline, tenant, std::move(ids), from, to, step);
    if (!means) {
      co_return std::move(means).error();
    }
    for (storage::SampleStore::StepMeans& one : *means) {
      const auto series = std::ranges::find(
          job.series, one.series, [](const ForecastJob::Series& s) { return s.forecast.id; });
      if (series != job.series.end()) {
        series->steps = std::move(one.points);
      }
    }
    co_return Result<>{};
  }

  runtime::Async<> submit(Deadline deadline, std::shared_ptr<ForecastJob> job,
                          void (*work)(ForecastJob&)) {
    std::function<Result<bool>(runtime::JobContext&)> task =
        [job, work](runtime::JobContext& context) -> Result<bool> {
      context.on_cancel([job] { job->cancelled = true; });
      work(*job);
      return true;
    };
    Result<bool> ran = co_await deps.cpu.submit<bool>(deadline, std::move(task));
    if (!ran) {
      co_return std::move(ran).error();
    }
    co_return Result<>{};
  }

  Deps deps;
  AnomalyOptions options;
  std::chrono::seconds step;
  telemetry::Counter answered;
  telemetry::Counter refused;
  telemetry::Counter failed;
  telemetry::Histogram seconds;
  std::size_t running = 0;
};

Forecaster::Forecaster(Deps deps, AnomalyOptions options, std::chrono::seconds step)
    : impl_(std::make_shared<Impl>(deps, std::move(options), step)) {}
Forecaster::~Forecaster() = default;

runtime::Async<std::vector<model::SeriesForecast>> Forecaster::forecast(
    Deadline deadline, TenantId tenant, model::ForecastQuery query) {
  return Impl::forecast(impl_, deadline, tenant, std::move(query));
}

}  // namespace sensus::analysis
