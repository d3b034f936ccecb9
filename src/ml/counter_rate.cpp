#include "sensus/ml/counter_rate.hpp"

#include "sensus/model/sample.hpp"

#include <cmath>

namespace sensus::ml {

std::optional<CounterRate::Last> CounterRate::last() const {
  return has_last_ ? std::optional(Last{last_time_, last_value_}) : std::nullopt;
}

void CounterRate::go_on_from(const Last& last) {
  has_last_ = true;
  last_time_ = last.time;
  last_value_ = last.value;
}

std::optional<double> CounterRate::update(Timestamp time, double value) {
  if (!std::isfinite(value) || value < 0) {
    has_last_ = has_last_ && !model::is_stale_marker(value);
    return std::nullopt;
  }
  if (!has_last_) {
    has_last_ = true;
    last_time_ = time;
    last_value_ = value;
    return std::nullopt;
  }
  if (time <= last_time_) {
    return std::nullopt;
  }
  const double seconds = static_cast<double>(to_unix_us(time) - to_unix_us(last_time_)) * 1e-6;
  double increase = value - last_value_;
  if (increase < 0) {
    ++resets_;
    increase = value;
  }
  last_time_ = time;
  last_value_ = value;
  return increase / seconds;
}

std::optional<StepMeans::Mean> StepMeans::update(Timestamp time, double value) {
  if (!std::isfinite(value) || (count_ > 0 && time == last_time_)) {
    return std::nullopt;
  }
  const Timestamp begin = std::chrono::floor<std::chrono::microseconds>(time) -
                          ((time.time_since_epoch() % step_ + step_) % step_);
  std::optional<Mean> closed;
  if (count_ > 0) {
    if (begin < begin_) {
      ++late_;
      return std::nullopt;
    }
    if (begin > begin_) {
      closed = Mean{begin_, mean_};
      count_ = 0;
      mean_ = 0;
    }
  }
  begin_ = begin;
  last_time_ = time;
  ++count_;
  mean_ += value / static_cast<double>(count_) - mean_ / static_cast<double>(count_);
  return closed;
}

}  // namespace sensus::ml
