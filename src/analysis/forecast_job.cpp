#include "forecast_job_internal.hpp"

#include "anomaly_scoring_internal.hpp"

#include <algorithm>
#include <utility>

namespace sensus::analysis {
namespace {

constexpr std::chrono::hours kSilent{24};
constexpr std::int64_t kLimitSteps =
    2000;  ///< As fine as a limit's time is told: a thousandth of the horizon and better.

void learn(ForecastJob::Series& series) {
  for (const model::Sample& step : series.steps) {
    series.scorer->update(step.time, step.value);
  }
  series.steps.clear();
}

/// Of the time after `now` alone.
std::vector<ml::ForecastPoint> ahead(const ml::Detector& detector, Timestamp now,
                                     std::chrono::seconds horizon, std::chrono::seconds step) {
  const auto since = std::max(now - detector.last_time(), std::chrono::microseconds{0});
  const auto steps = static_cast<std::size_t>((since + horizon) / step);
  std::vector<ml::ForecastPoint> points = detector.forecast(steps, step);
  std::erase_if(points, [now](const ml::ForecastPoint& point) { return point.time <= now; });
  return points;
}

std::optional<Timestamp> reached(std::vector<ml::ForecastPoint> points,
                                 double ml::ForecastPoint::*edge,
                                 const model::ForecastQuery& query) {
  for (ml::ForecastPoint& point : points) {
    point.expected = point.*edge;
  }
  return ml::time_of_limit(points, *query.limit,
                           query.is_limit_below ? ml::Direction::below : ml::Direction::above);
}

void look_ahead(ForecastJob::Series& series, const ForecastJob& job) {
  model::SeriesForecast& out = series.forecast;
  const model::ForecastQuery& query = job.query;
  const ml::Detector& detector = series.scorer->detector();
  if (detector.last_time() == Timestamp::min()) {
    return;
  }
  out.learned_to = detector.last_time();
  if (*out.learned_to + kSilent < job.now) {
    out.status = model::SeriesForecast::Status::silent;
    return;
  }
  for (const ml::ForecastPoint& point :
       ahead(detector, job.now, query.horizon, query.step)) {
    out.points.push_back({point.time, point.expected, point.low, point.high});
  }
  if (out.points.empty()) {
    return;
  }
  out.status = model::SeriesForecast::Status::ok;
  if (query.limit) {
    const std::chrono::seconds fine =
        std::max(model::kForecastStepMin, query.horizon / kLimitSteps);
    const std::vector<ml::ForecastPoint> points =
        ahead(detector, job.now, query.horizon, fine);
    using Point = ml::ForecastPoint;
    out.limit_at = reached(points, &Point::expected, query);
    out.limit_earliest = reached(points, query.is_limit_below ? &Point::low : &Point::high, query);
    out.limit_latest = reached(points, query.is_limit_below ? &Point::high : &Point::low, query);
  }
}

}  // namespace

void open_states(ForecastJob& job) {
  for (ForecastJob::Series& series : job.series) {
    if (series.bytes.empty() || job.cancelled) {
      continue;
    }
    const OpenedState opened = open_state(series.label, series.bytes);
    if (opened.flaw == SealFlaw::none) {
      auto scorer = SeriesScorer::restore(series.kind, params_of(job.params, series.label.key), opened.detector);
      if (scorer && (*scorer)->last_time() == series.label.last_time) {
        series.scorer = std::move(*scorer);
        series.forecast.is_restored = true;
      }
    }
    series.bytes = {};
  }
}

void run(ForecastJob& job) {
  for (ForecastJob::Series& series : job.series) {
    if (job.cancelled) {
      return;
    }
    if (!series.scorer) {
      series.scorer = std::make_unique<SeriesScorer>(series.kind, ml::make_detector(params_of(job.params, series.label.key)));
    }
    learn(series);
    look_ahead(series, job);
  }
}

}  // namespace sensus::analysis
