#include "model_quality_internal.hpp"

#include <nlohmann/json.hpp>

namespace sensus::analysis {

void measure(const ml::DetectorParams& params, SeriesKind kind, const std::vector<model::Sample>& points, Quality& quality) {
  const std::size_t warmup = params.warmup;
  if (points.size() <= warmup) {
    return;
  }
  SeriesScorer scorer(kind, ml::make_detector(params));
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto scored = scorer.update(points[i].time, points[i].value);
    if (i < warmup || !scored) {
      continue;
    }
    const ml::Verdict& verdict = scored->verdict;
    quality.notable += verdict.tier == ml::Tier::none ? 0 : 1;
    quality.alerting += verdict.tier == ml::Tier::alerting ? 1 : 0;
    quality.outside_band += scored->value < verdict.band_low || scored->value > verdict.band_high ? 1 : 0;
  }
  ++quality.series;
  quality.points += points.size() - warmup;
  quality.fed += points.size();
  quality.bytes += scorer.memory_bytes();
  const std::chrono::duration<double, std::ratio<86'400>> covered = points.back().time - points[warmup].time;
  quality.series_days += covered.count();
}

void add(Quality& total, const Quality& part) {
  total.series += part.series;
  total.points += part.points;
  total.notable += part.notable;
  total.alerting += part.alerting;
  total.outside_band += part.outside_band;
  total.series_days += part.series_days;
  total.seconds += part.seconds;
  total.fed += part.fed;
  total.bytes += part.bytes;
}

std::string render_quality(const Quality& q) {
  const auto per = [](double value, double by) { return by > 0 ? value / by : 0.0; };
  const auto number = [](std::size_t n) { return static_cast<double>(n); };
  nlohmann::ordered_json out;
  out["series"] = q.series;
  out["points"] = q.points;
  out["series_days"] = q.series_days;
  out["notable"] = q.notable;
  out["alerting"] = q.alerting;
  out["notable_per_series_day"] = per(number(q.notable), q.series_days);
  out["alerting_per_series_day"] = per(number(q.alerting), q.series_days);
  out["outside_band_ratio"] = per(number(q.outside_band), number(q.points));
  out["microseconds_per_point"] = per(q.seconds * 1e6, number(q.fed));
  out["bytes_per_series"] = per(number(q.bytes), number(q.series));
  return out.dump();
}

}  // namespace sensus::analysis
