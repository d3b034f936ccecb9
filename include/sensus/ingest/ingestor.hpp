#pragma once

#include "sensus/core/byte_size.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/model/alert.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/model/sample.hpp"
#include "sensus/model/selector.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/storage/alerts.hpp"
#include "sensus/storage/samples.hpp"
#include "sensus/telemetry/health.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::ingest {

struct Options {
  ByteSize queue_limit = 64_MiB;       ///< Samples waiting for the writer; beyond it requests get 503.
  std::int64_t flush_rows_max = 200'000;
  std::int64_t series_cache_max = 1'000'000;
  std::chrono::milliseconds series_idle = std::chrono::hours{1};
  std::int64_t active_series_max = 1'000'000;  ///< Of a tenant.
  std::chrono::milliseconds commit_timeout{5000};
  std::chrono::milliseconds analysis_step{60'000};  ///< 0 publishes every sample.
  std::chrono::milliseconds step_grace{10'000};     ///< A step closes this long after its end, or when the series moves on.
  std::int64_t alerts_in_flight_max = 256;
  std::int64_t metadata_families_max = 20'000;  ///< Metric families whose type, unit and help are kept.
};
void describe(config::Section& section, Options& options);

/// Series that are analysed at a step of their own. The first rule that matches a series is its rule.
struct StepRule {
  model::Selector selector;
  std::chrono::seconds step{0};  ///< 0 = Options::analysis_step.
  SeriesId seen = 0;             ///< The last one that was looked at.
};

/// Samples and alerts on their way to PostgreSQL. `accept` returns after COMMIT. **Threading**: reactor; one writer thread inside.
/// **Errors**: overloaded (queue full), unavailable, timeout, in_doubt: all 503 to the sender, whose retry is harmless.
class Ingestor {
 public:
  struct Deps {
    runtime::Executor executor;
    std::unique_ptr<storage::SampleWriter> writer;
    storage::SampleStore& samples;
    storage::AlertStore& alerts;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    std::function<void()> on_outbox;  ///< Called after a commit that wrote outbox rows: wakes the relay.
    std::vector<StepRule> step_rules = {};
  };
  Ingestor(Deps deps, Options options);
  ~Ingestor();
  Ingestor(const Ingestor&) = delete;
  Ingestor& operator=(const Ingestor&) = delete;

  /// How many samples were stored. Fewer than the batch has: the others began new series beyond the tenant's limit of active ones, and
  /// their sender must be told not to repeat them (400, partial success). Ends of series are taken always and are not counted.
  [[nodiscard]] runtime::Async<std::size_t> accept(Deadline deadline, TenantId tenant, model::SampleBatch batch);
  [[nodiscard]] runtime::Async<std::vector<storage::AlertOutcome>> accept(Deadline deadline, TenantId tenant, model::AlertBatch batch);

  /// Rebuilds open analysis steps from stored samples (after a crash their accumulators are gone), then closes steps as time passes.
  [[nodiscard]] runtime::Task run();
  /// Refuses new work, commits what waits, joins the writer.
  [[nodiscard]] runtime::Async<> stop(Deadline deadline);
  [[nodiscard]] telemetry::HealthReport health() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::ingest
