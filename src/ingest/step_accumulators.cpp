#include "step_accumulators_internal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sensus::ingest {
namespace {

constexpr std::uint32_t kCountMax = (1U << 23U) - 1;
constexpr std::size_t kStepsMax = 256;
constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

/// The second at or after that time; what lies outside counts as the first or last one.
std::uint32_t seconds_of(Timestamp time) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).time_since_epoch().count();
  return static_cast<std::uint32_t>(std::clamp<decltype(seconds)>(seconds, 0, kNever - 1));
}

}  // namespace

Timestamp step_start(Timestamp time, std::chrono::seconds step) {
  if (step == std::chrono::seconds{0}) {
    return time;
  }
  const std::int64_t step_us = std::chrono::microseconds{step}.count();
  const std::int64_t us = to_unix_us(time);
  return from_unix_us(us - (us % step_us + step_us) % step_us);
}

StepAccumulators::StepAccumulators(std::chrono::seconds step, std::chrono::milliseconds grace, std::size_t closed_max)
    : step_(step), grace_(grace), closed_max_(closed_max), steps_{step} {}

std::chrono::seconds StepAccumulators::longest_step() const { return *std::ranges::max_element(steps_); }

void StepAccumulators::mark_counter(SeriesId series) {
  const auto at = static_cast<std::size_t>(series);
  if (counters_.size() <= at) {
    counters_.resize(std::max(at + 1, counters_.size() + counters_.size() / 2));
  }
  counters_[at] = true;
}

bool StepAccumulators::is_counter(SeriesId series) const {
  const auto at = static_cast<std::size_t>(series);
  return at < counters_.size() && counters_[at];
}

void StepAccumulators::set_step(SeriesId series, std::chrono::seconds step, std::uint16_t rank) {
  const auto wanted = step > std::chrono::seconds{0} ? step : step_;
  auto index = std::ranges::find(steps_, wanted);
  if (index == steps_.end() && steps_.size() < kStepsMax) {
    index = steps_.insert(steps_.end(), wanted);
  }
  if (step_ == std::chrono::seconds{0} || index == steps_.end()) {
    return;
  }
  const auto number = static_cast<std::uint8_t>(index - steps_.begin());
  const auto [own, fresh] = own_steps_.find_or_place(series);
  if (!fresh && own->rank <= rank) {
    return;
  }
  *own = {series, number, rank};
  // What was begun at another step ends unpublished; the agenda's entry of it is stale from here on.
  if (State* state = states_.find(series); state != nullptr && state->step != number) {
    states_.erase(state);
  }
}

void StepAccumulators::add(TenantId tenant, SeriesId series, Timestamp time, double value, Timestamp now) {
  // Stored all the same: Prometheus has NaN for "no value". One of them would spoil the whole step.
  if (!std::isfinite(value)) {
    return;
  }
  if (step_ == std::chrono::seconds{0}) {
    push_closed({tenant, 0, {series, time, value}});
    return;
  }
  const auto [at, fresh] = states_.find_or_place(series);
  State& state = *at;
  if (fresh) {
    state.series = series;
    state.tenant = tenant;
    state.visit_s = kNever;
    state.is_counter = is_counter(series) ? 1 : 0;
    const Own* own = own_steps_.size() == 0 ? nullptr : own_steps_.find(series);
    state.step = own == nullptr ? 0 : own->step;
    open(state, time, value, now);
    return;
  }
  if (state.start > now + kFutureMax) {
    // The clock was wrong when that came. Without this the series would be late until then.
    open(state, time, value, now);
    return;
  }
  const std::chrono::seconds step = step_of(state);
  // Without a division for nearly all samples: they are of the step that is open.
  if (state.count != 0 && time >= state.start && time < state.start + step) {
    accumulate(state, value);
    state.last_arrival = now;
    return;
  }
  if (time < state.start + step) {
    ++late_;
    return;
  }
  if (state.count != 0) {
    close(state);
  }
  open(state, time, value, now);
}

/// Samples of a series come in order but for the odd one, so the last to come is the last.
void StepAccumulators::accumulate(State& state, double value) {
  state.count = std::min(state.count + 1U, kCountMax) & kCountMax;
  if (state.is_counter != 0) {
    state.value = value;
  } else {
    // Each term is divided on its own: the sum of two large values would be infinite.
    state.value += value / state.count - state.value / state.count;
  }
}

void StepAccumulators::open(State& state, Timestamp time, double value, Timestamp now) {
  state.start = step_start(time, step_of(state));
  state.value = value;
  state.count = 1;
  state.last_arrival = now;
  if (seconds_of(due(state)) < state.visit_s) {
    schedule(state, due(state));
  }
}

void StepAccumulators::close(State& state) {
  push_closed({state.tenant, static_cast<std::uint8_t>(state.step), {state.series, state.start, state.value}});
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
    return state.last_arrival + kIdleSteps * step_of(state) + grace_;
  }
  return std::max(state.start + step_of(state), state.last_arrival) + grace_;
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
  schedule(*state, std::max(due(*state), now + step_of(*state)));
}

std::optional<TenantId> StepAccumulators::next_tenant() const {
  return closed_.empty() ? std::nullopt : std::optional(closed_.front().tenant);
}

StepAccumulators::Closed StepAccumulators::take(TenantId tenant, std::size_t max) {
  const std::uint8_t step = closed_.empty() ? std::uint8_t{0} : closed_.front().step;
  Closed out{steps_[step], {}};
  while (!closed_.empty() && closed_.front().tenant == tenant && closed_.front().step == step && out.points.size() < max) {
    out.points.push_back(closed_.front().point);
    closed_.pop_front();
  }
  return out;
}

void StepAccumulators::give_back(TenantId tenant, const Closed& closed) {
  const auto step = static_cast<std::uint8_t>(std::ranges::find(steps_, closed.step) - steps_.begin());
  for (auto at = closed.points.rbegin(); at != closed.points.rend(); ++at) {
    if (closed_.size() >= closed_max_) {
      ++dropped_;
      continue;
    }
    closed_.push_front({tenant, step, *at});
  }
}

}  // namespace sensus::ingest
