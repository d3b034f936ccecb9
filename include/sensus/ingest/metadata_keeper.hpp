#pragma once

#include "sensus/core/clock.hpp"
#include "sensus/core/ids.hpp"
#include "sensus/model/metadata.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/storage/metadata.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <chrono>
#include <cstddef>
#include <memory>

namespace sensus::ingest {

/// Writes metadata of metric families behind their samples: it never waits for the database and
/// never refuses anything, so samples are neither held up nor lost for its sake. What is unchanged
/// is not written. What waits is stored about a second later, in one statement for many requests,
/// and again after a failure; a crash in between loses it until its sender says it again.
/// **Threading**: reactor. **Limits**: families_max families; what comes beyond is dropped and
/// counted.
class MetadataKeeper {
 public:
  struct Deps {
    runtime::Executor executor;
    storage::MetadataStore& store;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
  };
  struct Limits {
    std::size_t families_max = 20'000;
    std::chrono::milliseconds gather{1000};  ///< What comes within it is stored together; the shortest pause after a failure.
  };
  MetadataKeeper(Deps deps, Limits limits);
  ~MetadataKeeper();
  MetadataKeeper(const MetadataKeeper&) = delete;
  MetadataKeeper& operator=(const MetadataKeeper&) = delete;

  void note(TenantId tenant, const model::MetadataBatch& batch);
  /// Stores what waits, until `stop`.
  [[nodiscard]] runtime::Task run();
  /// Stores what waits once more. **Errors**: timeout.
  [[nodiscard]] runtime::Async<> stop(Deadline deadline);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::ingest
