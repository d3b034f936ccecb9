#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/model/event.hpp"
#include "sensus/model/job.hpp"
#include "sensus/pg/database.hpp"
#include "sensus/storage/alerts.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace sensus::storage {

struct NewJob {
  model::JobKind kind = model::JobKind::train;
  std::string parameters_json = "{}";
  std::optional<Timestamp> due_at = std::nullopt;  ///< For the schedule: at most one job of a kind has it.
};

/// Jobs of all replicas. One runs at a time: whoever claims it holds a lease and renews it; a job whose lease ended is taken up by
/// another, three times at most. Every change of state is an event of type `job`. **Threading**: reactor. **Errors**: as pg::Database.
class JobStore {
 public:
  static constexpr std::int64_t kQueuedMax = 16;
  static constexpr int kAttemptsMax = 3;

  virtual ~JobStore() = default;
  /// `already_exists` when the schedule's job was made before; `overloaded` with kQueuedMax waiting.
  [[nodiscard]] virtual runtime::Async<model::Job> create(Deadline deadline, TenantId tenant, NewJob job) = 0;
  /// `not_found` without such a job.
  [[nodiscard]] virtual runtime::Async<model::Job> get(Deadline deadline, TenantId tenant, std::int64_t id) = 0;
  /// Newest first.
  [[nodiscard]] virtual runtime::Async<Page<model::Job>> list(Deadline deadline, TenantId tenant, std::size_t limit,
                                                             std::optional<model::PageKey> after) = 0;
  /// The oldest that waits or was abandoned, now running; nothing when there is none or another one runs.
  [[nodiscard]] virtual runtime::Async<std::optional<model::Job>> claim(Deadline deadline, TenantId tenant, std::string owner,
                                                                        std::chrono::seconds lease) = 0;
  /// Renews the lease; false when the job is somebody else's by now and must be dropped.
  [[nodiscard]] virtual runtime::Async<bool> keep(Deadline deadline, TenantId tenant, std::int64_t id, std::string owner, double progress,
                                                  std::chrono::seconds lease) = 0;
  /// Done with a result, or failed with an error. No effect when the job is somebody else's by now.
  [[nodiscard]] virtual runtime::Async<> finish(Deadline deadline, TenantId tenant, std::int64_t id, std::string owner,
                                                Result<std::string> result_json) = 0;
  /// The latest due time that the schedule made a job of this kind for.
  [[nodiscard]] virtual runtime::Async<std::optional<Timestamp>> last_due(Deadline deadline, TenantId tenant, model::JobKind kind) = 0;
};
[[nodiscard]] std::unique_ptr<JobStore> make_job_store(pg::Database& database);

}  // namespace sensus::storage
