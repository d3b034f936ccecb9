#include "step_accumulators_internal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sensus::ingest {
namespace {

constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

/// The second at or after that time; what lies outside counts as the first or last one.
std::uint32_t seconds_of(Timestamp time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).time_since_epoch().count();
  return static_cast<std::uint32_t>(std::clamp<decltype(seconds)>(seconds, 0, kNever - 1));
}

}  // namespace

StepAccumulators::StepAccumulators(std::chrono::seconds step, std::chrono::milliseconds grace, std::size_t closed_max)
    : step_(step), grace_(grace), closed_max_(closed_max) {}

Timestamp StepAccumulators::step_start(Timestamp time) const {
  if (step_ == std::chrono::seconds{0}) {
    return time;
  }
  const std::int64_t step_us = std::chrono::microseconds{step_}.count();
  const std::int64_t us = to_unix_us(time);
  const std::int64_t into = (us % step_us + step_us) % step_us;
  return from_unix_us(us - into);
}

void StepAccumulators::add(TenantId tenant, SeriesId series, Timestamp time, double value, Timestamp now) {
  // Stored all the same: Prometheus has NaN for "no value". One of them would spoil the whole step.
  if (!std::isfinite(value)) {
    return;
  }
  if (step_ == std::chrono::seconds{0}) {
    push_closed({tenant, {series, time, value}});
    return;
  }
  const auto [at, fresh] = states_.find_or_place(series);
  State& state = *at;
  if (fresh) {
    state.series = series;
    state.tenant = tenant;
    state.visit_s = kNever;
    open(state, step_start(time), value, now);
    return;
  }
  if (state.start > now + kFutureMax) {
    // The clock was wrong when that came. Without this the series would be late until then.
    open(state, step_start(time), value, now);
    return;
  }
  // Without a division for nearly all samples: they are of the step that is open.
  if (state.count != 0 && time >= state.start && time < state.start + step_) {
    ++state.count;
    // Each term is divided on its own: the sum of two large values would be infinite.
    state.mean += value / state.count - state.mean / state.count;
    state.last_arrival = now;
    return;
  }
  if (time < state.start + step_) {
    ++late_;
    return;
  }
  if (state.count != 0) {
    close(state);
  }
  open(state, step_start(time), value, now);
}

void StepAccumulators::open(State& state, Timestamp start, double value, Timestamp now) {
  state.start = start;
  state.mean = value;
  state.count = 1;
  state.last_arrival = now;
  if (seconds_of(due(state)) < state.visit_s) {
    schedule(state, due(state));
  }
}

void StepAccumulators::close(State& state) {
  push_closed({state.tenant, {state.series, state.start, state.mean}});
  state.count = 0;
}

void StepAccumulators::push_closed(const ClosedPoint& point) {
  if (closed_.size() >= closed_max_) {
    closed_.pop_front();
    ++dropped_;
  }
  closed_.push_back(point);
}

Timestamp StepAccumulators::due(const State& state) const {
  if (state.count == 0) {
    return state.last_arrival + kIdleSteps * step_ + grace_;
  }
  return std::max(state.start + step_, state.last_arrival) + grace_;
}

void StepAccumulators::schedule(State& state, Timestamp at) {
  state.visit_s = seconds_of(at);
  agenda_[state.visit_s].push_back(state.series);
}

bool StepAccumulators::close_due(Timestamp now, std::size_t visits_max) {
  std::size_t visits = 0;
  while (!agenda_.empty() && Timestamp(std::chrono::seconds{agenda_.begin()->first}) <= now) {
    const std::uint32_t entry = agenda_.begin()->first;
    // A visit may add to the agenda, but never at or before `now` for this series again.
    std::vector<SeriesId>& due_series = agenda_.begin()->second;
    while (!due_series.empty()) {
      if (visits++ == visits_max) {
        return true;
      }
      const SeriesId series = due_series.back();
      due_series.pop_back();
      visit(series, entry, now);
    }
    agenda_.erase(agenda_.begin());
  }
  states_.shrink();
  return false;
}

void StepAccumulators::visit(SeriesId series, std::uint32_t entry, Timestamp now) {
  State* state = states_.find(series);
  if (state == nullptr || state->visit_s != entry) {
    return;
  }
  if (due(*state) > now) {
    schedule(*state, due(*state));
    return;
  }
  if (state->count == 0) {
    states_.erase(state);
    return;
  }
  close(*state);
  // Strictly later than `now`, or a clock that jumped ahead would make this loop.
  schedule(*state, std::max(due(*state), now + step_));
}

std::optional<TenantId> StepAccumulators::next_tenant() const {
  return closed_.empty() ? std::nullopt : std::optional(closed_.front().tenant);
}

std::vector<codec::StepPoint> StepAccumulators::take(TenantId tenant, std::size_t max) {
  std::vector<codec::StepPoint> out;
  while (!closed_.empty() && closed_.front().tenant == tenant && out.size() < max) {
    out.push_back(closed_.front().point);
    closed_.pop_front();
  }
  return out;
}

void StepAccumulators::give_back(TenantId tenant, const std::vector<codec::StepPoint>& points) {
  for (auto at = points.rbegin(); at != points.rend(); ++at) {
    if (closed_.size() >= closed_max_) {
      ++dropped_;
      continue;
    }
    closed_.push_front({tenant, *at});
  }
}

}  // namespace sensus::ingest
