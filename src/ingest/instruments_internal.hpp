#pragma once

#include "sensus/core/errc.hpp"
#include "sensus/model/alert.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sensus::ingest {

/// The handles of this module's metrics, resolved once.
class Instruments {
 public:
  explicit Instruments(telemetry::Metrics& metrics);

  enum class Refusal { overloaded, stopping, timeout };
  struct PerKind {
    telemetry::Histogram seconds;
    std::array<telemetry::Counter, 3> refused;  ///< By Refusal.
    void refuse(Refusal why) const { refused[static_cast<std::size_t>(why)].inc(); }
  };
  PerKind metrics;
  PerKind alerts;

  telemetry::Counter metrics_received;
  telemetry::Gauge queue_bytes;
  telemetry::Gauge queue_rows;
  telemetry::Histogram flush_rows;
  telemetry::Histogram flush_seconds;
  [[nodiscard]] const telemetry::Counter& flush_failures(Errc code) const;

  telemetry::Gauge cache_entries;
  telemetry::Counter cache_hits;
  telemetry::Counter cache_misses;
  telemetry::Counter cache_evictions;
  telemetry::Counter cache_expired;
  telemetry::Gauge active_series_limit;
  telemetry::Counter refused_samples;

  /// Outcomes of alerts, by model::MergeAction; then those that were quarantined, or whose transaction failed.
  [[nodiscard]] const telemetry::Counter& alert_outcome(model::MergeAction action) const;
  telemetry::Counter alerts_quarantined;
  telemetry::Counter alerts_failed;
  [[nodiscard]] const telemetry::Counter& quarantined(std::string_view code) const;
  telemetry::Counter truncated_alerts;
  telemetry::Gauge alerts_in_flight;

  telemetry::Gauge step_series;
  telemetry::Gauge step_points_waiting;
  telemetry::Counter step_points;
  telemetry::Counter step_points_dropped;
  telemetry::Counter step_late_samples;
  telemetry::Counter step_rebuild_failures;

 private:
  static constexpr std::array<Errc, 6> kFlushErrors{Errc::timeout, Errc::cancelled, Errc::unavailable,
                                                    Errc::in_doubt, Errc::corrupt, Errc::internal};
  std::array<telemetry::Counter, kFlushErrors.size()> flush_failures_;
  std::array<telemetry::Counter, 4> alert_outcomes_;
  std::array<telemetry::Counter, model::kQuarantineCodes.size()> quarantined_;
};

/// A counter that follows a running total kept elsewhere.
class TotalFollower {
 public:
  explicit TotalFollower(telemetry::Counter counter) : counter_(counter) {}
  /// True when the total has grown.
  bool follow(std::uint64_t total) {
    if (total <= seen_) {
      return false;
    }
    counter_.inc(static_cast<double>(total - seen_));
    seen_ = total;
    return true;
  }

 private:
  telemetry::Counter counter_;
  std::uint64_t seen_ = 0;
};

}  // namespace sensus::ingest
