#include "storage/step_fold_internal.hpp"

#include "sensus/core/assert.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::storage {
namespace {

bool is_quantile(Aggregation aggregation) {
  return aggregation == Aggregation::p50 || aggregation == Aggregation::p95 ||
         aggregation == Aggregation::p99;
}

double quantile_of(Aggregation aggregation) {
  if (aggregation == Aggregation::p50) {
    return 0.5;
  }
  return aggregation == Aggregation::p95 ? 0.95 : 0.99;
}

/// Between the two neighbours in proportion, as Prometheus' quantile_over_time() has it.
double interpolate(const std::pair<std::uint32_t, double>* sorted, std::size_t count,
                   double quantile) {
  const double rank = quantile * static_cast<double>(count - 1);
  const auto lower = static_cast<std::size_t>(rank);
  const std::size_t upper = std::min(lower + 1, count - 1);
  const double weight = rank - std::floor(rank);
  const double low = sorted[lower].second;
  const double high = sorted[upper].second;
  // Infinite neighbours would make a NaN of a weight of 0.
  return weight == 0 || low == high ? low : low * (1 - weight) + high * weight;
}

}  // namespace

StepFold::StepFold(Aggregation aggregation, StepGrid grid, std::size_t groups, std::size_t series)
    : aggregation_(aggregation), grid_(grid) {
  if (is_quantile(aggregation)) {
    values_.resize(groups);
    return;
  }
  cells_.resize(groups * grid.count);
  if (aggregation == Aggregation::rate) {
    counters_.resize(series);
  }
}

bool StepFold::takes_slots(Aggregation aggregation) {
  return aggregation != Aggregation::rate && !is_quantile(aggregation);
}

void StepFold::add(std::size_t group, std::size_t series, std::int64_t time_us, double value) {
  if (std::isnan(value) || time_us < grid_.from_us) {
    return;
  }
  const auto step = static_cast<std::size_t>((time_us - grid_.from_us) / grid_.step_us);
  if (step >= grid_.count) {
    return;
  }
  if (!values_.empty()) {
    values_[group].emplace_back(static_cast<std::uint32_t>(step), value);
  } else if (!counters_.empty()) {
    count(group, counters_[series], time_us, value, step);
  } else {
    put(cells_[group * grid_.count + step], time_us, value, 1);
  }
}

void StepFold::add_slot(std::size_t group, const RolledSlot& slot) {
  SENSUS_ASSERT(takes_slots(aggregation_));
  const auto step = static_cast<std::size_t>((slot.time_us - grid_.from_us) / grid_.step_us);
  if (slot.samples == 0 || slot.time_us < grid_.from_us || step >= grid_.count) {
    return;
  }
  put(cells_[group * grid_.count + step], slot.time_us, slot.value, slot.samples);
}

void StepFold::put(Cell& cell, std::int64_t time_us, double value, std::uint64_t samples) const {
  const bool first = cell.samples == 0;
  cell.samples += samples;
  switch (aggregation_) {
    case Aggregation::min: cell.chosen = first ? value : std::min(cell.chosen, value); break;
    case Aggregation::max: cell.chosen = first ? value : std::max(cell.chosen, value); break;
    case Aggregation::last:
      if (first || time_us >= cell.newest_us) {
        cell.chosen = value;
        cell.newest_us = time_us;
      }
      break;
    default: cell.total += static_cast<long double>(value); break;
  }
}

void StepFold::count(std::size_t group, Counter& counter, std::int64_t time_us, double value,
                     std::size_t step) {
  if (counter.samples > 0 && counter.step != step) {
    close(counter);
  }
  if (counter.samples == 0) {
    counter = {group, step, time_us, time_us, value, value, 0, 1};
    return;
  }
  counter.increase += value < counter.last ? value : value - counter.last;
  counter.last = value;
  counter.last_us = time_us;
  ++counter.samples;
}

void StepFold::close(Counter& counter) {
  if (counter.samples >= 2) {
    const std::int64_t begin_us =
        grid_.from_us + static_cast<std::int64_t>(counter.step) * grid_.step_us;
    const auto seconds = [](std::int64_t us) { return static_cast<double>(us) / 1e6; };
    const double rate = rate_of({.from_s = seconds(counter.first_us - begin_us),
                                 .to_s = seconds(begin_us + grid_.step_us - counter.last_us),
                                 .sampled_s = seconds(counter.last_us - counter.first_us),
                                 .window_s = seconds(grid_.step_us),
                                 .first = counter.first,
                                 .increase = counter.increase,
                                 .samples = counter.samples});
    Cell& cell = cells_[counter.group * grid_.count + counter.step];
    cell.total += static_cast<long double>(rate);
    ++cell.samples;
  }
  counter.samples = 0;
}

double StepFold::value_of(const Cell& cell) const {
  switch (aggregation_) {
    case Aggregation::avg:
      return static_cast<double>(cell.total / static_cast<long double>(cell.samples));
    case Aggregation::sum:
    case Aggregation::rate: return static_cast<double>(cell.total);
    case Aggregation::count: return static_cast<double>(cell.samples);
    default: return cell.chosen;
  }
}

Timestamp StepFold::time_of(std::size_t step) const {
  return from_unix_us(grid_.from_us + static_cast<std::int64_t>(step) * grid_.step_us);
}

std::vector<model::Sample> StepFold::points(std::size_t group) {
  if (!values_.empty()) {
    return quantiles(group);
  }
  for (Counter& counter : counters_) {
    close(counter);
  }
  std::vector<model::Sample> out;
  for (std::size_t step = 0; step < grid_.count; ++step) {
    const Cell& cell = cells_[group * grid_.count + step];
    if (cell.samples > 0) {
      out.push_back({time_of(step), value_of(cell)});
    }
  }
  return out;
}

std::vector<model::Sample> StepFold::quantiles(std::size_t group) {
  auto& values = values_[group];
  std::ranges::sort(values);
  std::vector<model::Sample> out;
  for (std::size_t begin = 0; begin < values.size();) {
    std::size_t end = begin;
    while (end < values.size() && values[end].first == values[begin].first) {
      ++end;
    }
    out.push_back({time_of(values[begin].first),
                   interpolate(&values[begin], end - begin, quantile_of(aggregation_))});
    begin = end;
  }
  return out;
}

double rate_of(const CounterWindow& window) {
  const double mean_s = window.sampled_s / static_cast<double>(window.samples - 1);
  double from_s = window.from_s;
  if (window.increase > 0 && window.first >= 0) {
    from_s = std::min(from_s, window.sampled_s * (window.first / window.increase));
  }
  const double near_s = mean_s * 1.1;
  double covered_s = window.sampled_s;
  covered_s += from_s < near_s ? from_s : mean_s / 2;
  covered_s += window.to_s < near_s ? window.to_s : mean_s / 2;
  return window.increase * (covered_s / window.sampled_s) / window.window_s;
}

}  // namespace sensus::storage
