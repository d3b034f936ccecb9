#pragma once

#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/codec/model_json.hpp"

#include "support/coro_test.hpp"
#include "support/fake_stores.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::analysis::test {

inline constexpr std::size_t kPast = 300;  ///< Steps before the fault.

inline Timestamp minute(std::size_t i) { return from_unix_us(1'763'600'040'000'000) + std::chrono::minutes(i); }

/// Noise between -1 and 1 from a tiny generator of its own.
inline double noise(std::size_t i, SeriesId series) {
  std::uint64_t z = (i * 2'654'435'761U + static_cast<std::uint64_t>(series) * 40'503U) * 0x9E3779B97F4A7C15ULL;
  z ^= z >> 29U;
  z *= 0xBF58476D1CE4E5B9ULL;
  z ^= z >> 32U;
  return static_cast<double>(z >> 11U) * 0x1.0p-52 - 1;
}
inline double healthy(std::size_t i, SeriesId series) { return 100 + 5 * noise(i, series); }

/// A worker over stores in memory and a cpu pool of one thread. Made inside the coroutine, which knows the executor.
class Rig {
 public:
  Rig(runtime::Executor executor, AnomalyOptions o)
      : clock(minute(0)), cpu(std::move(executor), {.name = "cpu", .threads = 1, .queue_limit = 16}, metrics), options(o) {
    restart_worker();
  }
  /// As after a restart of the daemon: nothing in memory.
  void restart_worker() {
    worker.emplace(AnomalyWorker::Deps{samples, analyses, models, states, feedback, metadata, cpu, clock, {}, metrics, [this] { ++outbox_kicks; }, rules}, options);
  }
  [[nodiscard]] bool counts(const std::string& line) { return metrics.render().find(line + "\n") != std::string::npos; }
  ~Rig() { cpu.stop_blocking(); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  telemetry::Metrics metrics;
  ManualClock clock;
  runtime::BlockingPool cpu;
  ::sensus::test::FakeSampleStore samples;
  ::sensus::test::FakeAnalysisStore analyses;
  ::sensus::test::FakeModelStore models;
  ::sensus::test::FakeDetectorStateStore states;
  ::sensus::test::FakeFeedbackStore feedback;
  ::sensus::test::FakeMetadataStore metadata;
  Rules rules;
  int outbox_kicks = 0;
  AnomalyOptions options;
  std::optional<AnomalyWorker> worker;
};

inline stream::Entry entry(EventId id, std::string payload) {
  return {std::to_string(id) + "-0", {id, model::Topic::metrics, "metric", std::move(payload), minute(0)}};
}
inline stream::Entry entry(EventId id, std::vector<codec::StepPoint> points) {
  return entry(id, codec::render_step_batch({kDefaultTenant, std::chrono::seconds{60}, std::move(points)}));
}
inline std::vector<stream::Entry> one(stream::Entry only) {
  std::vector<stream::Entry> entries;
  entries.push_back(std::move(only));
  return entries;
}

/// `kPast` steps of a healthy series, as storage has them.
inline std::vector<model::Sample> past(SeriesId series) {
  std::vector<model::Sample> samples;
  for (std::size_t i = 0; i < kPast; ++i) {
    samples.push_back({minute(i), healthy(i, series)});
  }
  return samples;
}

}  // namespace sensus::analysis::test
