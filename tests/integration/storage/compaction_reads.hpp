#pragma once

#include "integration/storage/compaction_world.hpp"

#include <cmath>
#include <optional>

/// Every read of samples, compared with what a World remembers.
namespace sensus::test {

using runtime::Async;
using storage::Aggregation;

using Samples = std::vector<std::pair<Timestamp, double>>;

inline double quantile(std::vector<double> values, double q) {
  std::ranges::sort(values);
  const double rank = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(rank);
  const double next = low + 1 < values.size() ? values[low + 1] : values[low];
  const double weight = rank - static_cast<double>(low);
  return weight == 0 || next == values[low] ? values[low] : values[low] * (1 - weight) + next * weight;
}

/// Prometheus' rate() from its description: two samples at least, resets, and ends that lie near are reached.
inline std::optional<double> rate(const Samples& samples, Timestamp begin, std::chrono::milliseconds step) {
  if (samples.size() < 2) {
    return std::nullopt;
  }
  const auto seconds = [](auto span) { return std::chrono::duration<double>(span).count(); };
  double increase = samples.back().second - samples.front().second;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    increase += samples[i].second < samples[i - 1].second ? samples[i - 1].second : 0;
  }
  const double covered = seconds(samples.back().first - samples.front().first);
  const double gap = covered / static_cast<double>(samples.size() - 1);
  double before = seconds(samples.front().first - begin);
  const double after = seconds(begin + step - samples.back().first);
  if (increase > 0) {
    // On a grid of times the comparisons below meet ties, so the order of operations is the reader's.
    before = std::min(before, covered * (samples.front().second / increase));
  }
  const double whole = covered + (before < gap * 1.1 ? before : gap / 2) + (after < gap * 1.1 ? after : gap / 2);
  return increase * whole / covered / seconds(step);
}

/// NaN is no value: the samples come without.
inline std::optional<double> aggregate(const Samples& samples, Timestamp begin, const storage::RangeQuery& query) {
  std::vector<double> values;
  long double sum = 0;
  for (const auto& [time, value] : samples) {
    values.push_back(value);
    sum += static_cast<long double>(value);
  }
  switch (query.aggregation) {
    case Aggregation::min: return *std::ranges::min_element(values);
    case Aggregation::max: return *std::ranges::max_element(values);
    case Aggregation::last: return values.back();
    case Aggregation::sum: return static_cast<double>(sum);
    case Aggregation::count: return static_cast<double>(values.size());
    case Aggregation::rate: return rate(samples, begin, query.step);
    case Aggregation::p50: return quantile(values, 0.5);
    case Aggregation::p95: return quantile(values, 0.95);
    case Aggregation::p99: return quantile(values, 0.99);
    case Aggregation::avg: break;
  }
  return static_cast<double>(sum / static_cast<long double>(values.size()));
}

using Points = std::map<std::pair<int, Timestamp>, double>;

inline Points expected_points(const World& w, const storage::RangeQuery& query) {
  std::map<std::pair<int, Timestamp>, Samples> steps;
  for (const auto& [key, value] : w.model) {
    if (key.second >= query.from && key.second < query.to && !std::isnan(value)) {
      steps[{key.first, key.second - (key.second - query.from) % query.step}].emplace_back(key.second, value);
    }
  }
  Points points;
  for (const auto& [key, samples] : steps) {
    if (const auto value = aggregate(samples, key.second, query)) {
      points[key] = *value;
    }
  }
  return points;
}

/// Equal, or as near as another order of additions brings it; a NaN is a NaN.
inline bool is_same(double found, double expected) {
  if (std::isnan(expected) || std::isinf(expected) || std::isnan(found) || std::isinf(found)) {
    return found == expected || (std::isnan(found) && std::isnan(expected));
  }
  return std::abs(found - expected) <= 1e-9 * std::max(1.0, std::abs(expected));
}

inline void expect_near(const Points& found, const Points& expected, const std::string& when) {
  EXPECT_EQ(found.size(), expected.size()) << when;
  for (const auto& [key, value] : expected) {
    const auto it = found.find(key);
    if (it == found.end()) {
      ADD_FAILURE() << when << ": no point of series " << key.first << " at "
                    << render_rfc3339(key.second);
      return;
    }
    EXPECT_TRUE(is_same(it->second, value)) << when << ", series " << key.first << " at " << render_rfc3339(key.second) << ": "
                                            << it->second << " instead of " << value;
  }
}

/// To the bit, but that a NaN is a NaN.
inline void expect_equal(const Points& found, const Points& expected, const std::string& when) {
  EXPECT_TRUE(std::ranges::equal(found, expected, [](const auto& a, const auto& b) {
    return a.first == b.first && (a.second == b.second || (std::isnan(a.second) && std::isnan(b.second)));
  })) << when << ": " << found.size() << " samples, " << expected.size() << " of the model";
}

/// Of totals whose parts pass the end of the type on the way, rollups know only that; differences of such values are no rates.
inline bool is_comparable(const World& w, const storage::RangeQuery& query, const Points::key_type& step) {
  long double size = 0;
  bool finite = true;
  for (auto at = w.model.lower_bound(step); at != w.model.end() && at->first.first == step.first && at->first.second < step.second + query.step;
       ++at) {
    finite = finite && (std::isnan(at->second) || std::abs(at->second) < 1e300);
    size += std::isfinite(at->second) ? std::abs(static_cast<long double>(at->second)) : 0;
  }
  if (query.aggregation == Aggregation::rate) {
    return finite;
  }
  const bool is_total = query.aggregation == Aggregation::sum || query.aggregation == Aggregation::avg;
  const bool rolled = query.step % std::chrono::minutes(5) == std::chrono::milliseconds{0};
  return !is_total || !rolled || size <= static_cast<long double>(std::numeric_limits<double>::max());
}

inline void expect_points(const World& w, const storage::RangeQuery& query, Points found, const std::string& when) {
  Points expected = expected_points(w, query);
  if (w.odd) {
    const auto incomparable = [&](const auto& point) { return !is_comparable(w, query, point.first); };
    std::erase_if(found, incomparable);
    std::erase_if(expected, incomparable);
    EXPECT_FALSE(expected.empty()) << when;
  }
  expect_near(found, expected, when);
}

inline Async<Points> read_range(World& w, storage::RangeQuery query) {
  const auto ranges = co_await w.store->query_range(soon(), kDefaultTenant, query);
  if (!ranges) {
    co_return ranges.error();
  }
  Points found;
  for (const auto& range : *ranges) {
    for (const auto& point : range.points) {
      found[{w.series_of(range.series.id), point.time}] = point.value;
    }
  }
  co_return found;
}

inline Async<> check_ranges(World& w, std::string when) {
  const std::array steps{std::chrono::minutes(7), std::chrono::minutes(10),
                         std::chrono::minutes(60), std::chrono::minutes(180)};
  const std::array aggregations{Aggregation::min,  Aggregation::max, Aggregation::avg, Aggregation::last, Aggregation::sum,
                                Aggregation::count, Aggregation::rate, Aggregation::p50, Aggregation::p95, Aggregation::p99};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (std::size_t j = 0; j < aggregations.size(); ++j) {
      if ((i * aggregations.size() + j + w.rounds) % 6 != 0) {
        continue;
      }
      storage::RangeQuery query;
      query.metric_name = "cpu";
      query.from = kFirstDay + std::chrono::hours(5);
      query.to = kFirstDay + std::chrono::hours(61) + std::chrono::minutes(1);
      query.step = steps.at(i);
      query.aggregation = aggregations.at(j);
      query.series_max = 1000;
      const auto found = co_await read_range(w, query);
      if (!found) {
        co_return found.error();
      }
      expect_points(w, query, *found, when + ", query_range, aggregation " + std::to_string(j) + ", step " + std::to_string(i));
    }
  }
  ++w.rounds;
  co_return Result<>{};
}

/// All series as one group, out of rollups where these will do, and every sample as it was written.
inline Async<> check_groups(World& w, std::string when) {
  storage::RangeQuery query;
  query.metric_name = "cpu";
  query.from = kFirstDay;
  query.to = kFirstDay + std::chrono::hours(72);
  query.step = std::chrono::hours(w.rounds % 2 == 0 ? 1 : 5);
  query.aggregation = w.odd ? Aggregation::max : Aggregation::sum;  // Of so many odd ones every total is none.
  query.by = std::vector<std::string>{"job"};
  query.series_max = kSeries;
  const auto grouped = co_await w.store->query_range(soon(), kDefaultTenant, query);
  if (!grouped) {
    co_return grouped.error();
  }
  std::map<Timestamp, double> expected;
  for (const auto& [key, value] : w.model) {
    if (key.second < query.to && !std::isnan(value)) {
      const auto [step, fresh] = expected.try_emplace(key.second - (key.second - query.from) % query.step, value);
      if (!fresh) {
        step->second = w.odd ? std::max(step->second, value) : step->second + value;
      }
    }
  }
  EXPECT_EQ(grouped->size(), 1U) << when;
  EXPECT_EQ(grouped->front().members, static_cast<std::size_t>(kSeries)) << when;
  EXPECT_EQ(grouped->front().points.size(), expected.size()) << when;
  for (const model::Sample& point : grouped->front().points) {
    EXPECT_TRUE(is_same(point.value, expected[point.time])) << when << ": " << point.value << " instead of " << expected[point.time];
  }
  storage::SamplesQuery all{{{"__name__", model::SeriesMatchOp::equal, "cpu"}}, query.from, query.to + std::chrono::hours(24)};
  const auto samples = co_await w.store->read_samples(soon(), kDefaultTenant, all);
  if (!samples) {
    co_return samples.error();
  }
  Points found;
  for (const auto& series : *samples) {
    for (const auto& point : series.points) {
      found[{w.series_of(series.series.id), point.time}] = point.value;
    }
  }
  expect_equal(found, w.model, when + ", read_samples");
  co_return Result<>{};
}

inline Async<> check_means(World& w, std::string when) {
  storage::RangeQuery query;
  query.from = kFirstDay;
  query.to = kFirstDay + std::chrono::hours(72);
  query.step = std::chrono::minutes(10);
  const auto means = co_await w.store->step_means(soon(), kDefaultTenant, w.ids, query.from,
                                                  query.to, std::chrono::seconds(600));
  if (!means) {
    co_return means.error();
  }
  Points found;
  for (const auto& series : *means) {
    for (const auto& point : series.points) {
      found[{w.series_of(series.series), point.time}] = point.value;
    }
  }
  // Detectors know finite numbers only.
  std::map<Points::key_type, std::pair<long double, int>> sums;
  for (const auto& [key, value] : w.model) {
    if (std::isfinite(value) && key.second >= query.from && key.second < query.to) {
      auto& [sum, samples] = sums[{key.first, key.second - (key.second - query.from) % query.step}];
      sum += static_cast<long double>(value);
      ++samples;
    }
  }
  Points expected;
  for (const auto& [key, sum] : sums) {
    expected[key] = static_cast<double>(sum.first / sum.second);
  }
  expect_near(found, expected, when + ", step_means");
  co_return Result<>{};
}

inline Async<> check_raw(World& w, std::string when) {
  const auto raw = co_await w.store->recent_samples(soon(), kDefaultTenant, kFirstDay,
                                                    kFirstDay + std::chrono::hours(96), 1'000'000);
  if (!raw) {
    co_return raw.error();
  }
  Points found;
  for (const auto& sample : *raw) {
    found[{w.series_of(sample.series), sample.sample.time}] = sample.sample.value;
  }
  EXPECT_EQ(raw->size(), w.model.size()) << when << ": each time once";
  expect_equal(found, w.model, when + ", recent_samples");
  const auto newest = co_await w.store->newest_sample(soon(), kDefaultTenant, kFirstDay + std::chrono::hours(96));
  if (!newest) {
    co_return newest.error();
  }
  Timestamp latest{};
  for (const auto& [key, value] : w.model) {
    latest = std::max(latest, key.second);
  }
  EXPECT_EQ(*newest, latest) << when;
  co_return Result<>{};
}

/// What people read: the view and the function.
inline void check_views(World& w, const std::string& when) {
  std::size_t numbers = 0;
  double highest = -std::numeric_limits<double>::infinity();
  double sum = 0;
  for (const auto& [key, value] : w.model) {
    numbers += std::isnan(value) ? 0 : 1;
    highest = std::isnan(value) ? highest : std::max(highest, value);
    sum += std::abs(value) < 1e3 ? value : 0;
  }
  std::string expected = std::to_string(w.model.size()) + ":" + std::to_string(numbers) + ":";
  expected += std::isinf(highest) ? "Infinity" : w.s.value("select '" + std::to_string(highest) + "'::float8");
  expected += ":" + std::to_string(sum);
  const auto read = [&w](const std::string& from) {
    return w.s.value("select count(*) || ':' || count(*) filter (where n) || ':' || max(metric_value) filter (where n) || ':' || "
                     "to_char(sum(metric_value) filter (where abs(metric_value) < 1e3), 'FM999999999990.000000') from (select *, "
                     "metric_value <> 'NaN' as n from " +
                     from + ") x");
  };
  EXPECT_EQ(read("sensus.metrics"), expected) << when;
  EXPECT_EQ(read("sensus.samples('cpu', '{}', '2026-11-01', '2026-12-01')"), expected) << when;
}

inline Async<> check_all(World& w, std::string when) {
  Result<> done = co_await check_ranges(w, when);
  if (!done) {
    co_return done;
  }
  done = co_await check_groups(w, when);
  if (!done) {
    co_return done;
  }
  done = co_await check_means(w, when);
  if (!done) {
    co_return done;
  }
  done = co_await check_raw(w, when);
  if (!done) {
    co_return done;
  }
  check_views(w, when);
  co_return Result<>{};
}

}  // namespace sensus::test
