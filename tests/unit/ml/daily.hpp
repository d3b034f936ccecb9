#pragma once

#include "series.hpp"

#include <functional>
#include <numbers>
#include <vector>

namespace sensus::ml::test {

struct Point {
  Timestamp time;
  double value = 0;
};

inline constexpr double kDay = 86400;
/// A Monday, 00:00 UTC.
inline constexpr std::int64_t kMonday = 1'740'960'000;

inline Timestamp at_seconds(double seconds) {
  return from_unix_us(static_cast<std::int64_t>((static_cast<double>(kMonday) + seconds) * 1e6));
}

/// A daily wave of 20 about 45 with noise of 2, for `days` in steps of `step` seconds; `change` may
/// alter a value by its time.
inline std::vector<Point> daily_wave(
    double days, double step, std::uint64_t seed,
    const std::function<double(double seconds, double value)>& change = {}) {
  Noise noise(seed);
  std::vector<Point> points;
  for (double t = 0; t < days * kDay; t += step) {
    double value = 45 + 20 * std::sin(2 * std::numbers::pi * t / kDay) + 2 * noise.normal();
    if (change) {
      value = change(t, value);
    }
    points.push_back({at_seconds(t), value});
  }
  return points;
}

inline std::vector<Verdict> feed(Detector& detector, const std::vector<Point>& points) {
  std::vector<Verdict> verdicts;
  verdicts.reserve(points.size());
  for (const Point& point : points) {
    verdicts.push_back(detector.update(point.time, point.value));
  }
  return verdicts;
}

/// Anomalies between two moments, in seconds from the start.
inline std::size_t count_between(const std::vector<Point>& points,
                                 const std::vector<Verdict>& verdicts, double begin, double end) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    count += points[i].time >= at_seconds(begin) && points[i].time < at_seconds(end) &&
                     verdicts[i].is_anomaly
                 ? 1U
                 : 0U;
  }
  return count;
}

}  // namespace sensus::ml::test
