#pragma once

#include "flat_table_internal.hpp"

#include "sensus/codec/model_json.hpp"
#include "sensus/core/ids.hpp"
#include "sensus/core/time.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace sensus::ingest {

/// Where the step that holds `time` begins: steps of a length begin at multiples of it since 1970. With a step of zero, `time`.
[[nodiscard]] Timestamp step_start(Timestamp time, std::chrono::seconds step);

/// Means of analysis steps (of counters the last value, from which increases follow): one accumulator a series for the step that is open,
/// so that what is published grows with the number of series and not of samples. A step closes when its series moves on, or `grace` after its end and after its last sample came. A closed
/// step waits until it is taken. A step of zero makes every sample a point. Pure: time is an argument. **Threading**: reactor only.
/// **Limits**: a series without samples for kIdleSteps steps is forgotten; at most `closed_max` points wait, then the oldest go.
class StepAccumulators {
 public:
  static constexpr int kIdleSteps = 10;
  /// No sample so far ahead of the clock is accepted (limits.future_window).
  static constexpr std::chrono::hours kFutureMax{24};

  StepAccumulators(std::chrono::seconds step, std::chrono::milliseconds grace, std::size_t closed_max = 2'000'000);

  /// From here on this series is a counter.
  void mark_counter(SeriesId series);
  /// From here on this series has a step of its own (0 = that of all), unless one of a lower rank was set. Without effect where every
  /// sample is a step.
  void set_step(SeriesId series, std::chrono::seconds step, std::uint16_t rank);

  /// A committed sample. Late for a step that is closed, or older than the open one: counted only.
  void add(TenantId tenant, SeriesId series, Timestamp time, double value, Timestamp now);
  /// Closes what is due, looking at no more than `visits_max` series. True when there is more to do.
  bool close_due(Timestamp now, std::size_t visits_max);

  /// The tenant of the oldest closed point; nullopt when none waits.
  [[nodiscard]] std::optional<TenantId> next_tenant() const;
  /// The oldest closed points of that tenant, of one step.
  struct Closed {
    std::chrono::seconds step{0};
    std::vector<codec::StepPoint> points;
  };
  [[nodiscard]] Closed take(TenantId tenant, std::size_t max);
  /// Points whose write failed go back to the front.
  void give_back(TenantId tenant, const Closed& closed);

  /// Of the series that have none of their own.
  [[nodiscard]] std::chrono::seconds step() const { return step_; }
  [[nodiscard]] std::chrono::seconds longest_step() const;
  [[nodiscard]] std::size_t series() const { return states_.size(); }
  [[nodiscard]] std::size_t closed() const { return closed_.size(); }
  [[nodiscard]] std::uint64_t late() const { return late_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  /// 40 bytes a series.
  struct State {
    Timestamp start;         ///< Of the open step, or of the last closed one.
    Timestamp last_arrival;
    double value = 0;  ///< Mean so far; of a counter, the last.
    SeriesId series = 0;
    std::uint32_t count : 23 = 0;  ///< 0 = closed.
    std::uint32_t is_counter : 1 = 0;
    std::uint32_t step : 8 = 0;  ///< Index into steps_.
    std::uint32_t visit_s = 0;  ///< Seconds since 1970 where the agenda holds this series; other entries of it are stale.
    TenantId tenant = kDefaultTenant;

    [[nodiscard]] SeriesId key() const { return series; }
    [[nodiscard]] bool empty() const { return series == 0; }
    /// Ids are consecutive numbers; multiplied, they spread in whatever order and with whatever gaps they come.
    [[nodiscard]] static std::size_t hash_of(SeriesId id) {
      const std::uint64_t mixed = static_cast<std::uint64_t>(id) * 0x9E3779B97F4A7C15ULL;
      return static_cast<std::size_t>(mixed ^ (mixed >> 32));
    }
  };
  struct ClosedPoint {
    TenantId tenant;
    std::uint8_t step;  ///< Index into steps_.
    codec::StepPoint point;
  };
  /// Of series that differ from all others. Kept for ever: ids are not given out again.
  struct Own {
    SeriesId series = 0;
    std::uint8_t step = 0;  ///< Index into steps_.
    std::uint16_t rank = 0;
    [[nodiscard]] SeriesId key() const { return series; }
    [[nodiscard]] bool empty() const { return series == 0; }
    [[nodiscard]] static std::size_t hash_of(SeriesId id) { return State::hash_of(id); }
  };

  void open(State& state, Timestamp time, double value, Timestamp now);
  static void accumulate(State& state, double value);
  void close(State& state);
  void push_closed(const ClosedPoint& point);
  void visit(SeriesId series, std::uint32_t entry, Timestamp now);
  void schedule(State& state, Timestamp at);
  [[nodiscard]] Timestamp due(const State& state) const;
  [[nodiscard]] bool is_counter(SeriesId series) const;
  [[nodiscard]] std::chrono::seconds step_of(const State& state) const { return steps_[state.step]; }

  std::chrono::seconds step_;
  std::chrono::milliseconds grace_;
  std::size_t closed_max_;
  std::vector<std::chrono::seconds> steps_;  ///< The first is that of all.
  FlatTable<Own> own_steps_;
  std::vector<bool> counters_;  ///< By series id, which are consecutive numbers.
  FlatTable<State> states_;
  std::map<std::uint32_t, std::vector<SeriesId>> agenda_;  ///< By whole seconds, so there are few.
  std::deque<ClosedPoint> closed_;
  std::uint64_t late_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace sensus::ingest
