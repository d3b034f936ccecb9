#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/pg/database.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sensus::storage {

/// What somebody said of an anomaly.
struct Feedback {
  std::int64_t id = 0;
  AnalysisId anomaly = 0;
  SeriesId series = 0;
  std::string verdict;   ///< "useful", "noise" or "expected".
  double evidence = 0;   ///< Of the anomaly.
  std::string comment;
};

/// Rows of anomaly_feedback. **Threading**: reactor. **Errors**: as pg::Database.
class FeedbackStore {
 public:
  virtual ~FeedbackStore() = default;
  /// `not_found` without such an anomaly.
  [[nodiscard]] virtual runtime::Async<Feedback> add(Deadline deadline, TenantId tenant, AnalysisId anomaly, std::string verdict,
                                                     std::string comment) = 0;
  /// What no detector has learned yet, oldest first; of series that are gone it is given up after 90 days.
  [[nodiscard]] virtual runtime::Async<std::vector<Feedback>> pending(Deadline deadline, TenantId tenant, std::size_t limit) = 0;
  [[nodiscard]] virtual runtime::Async<> mark_applied(Deadline deadline, TenantId tenant, std::vector<std::int64_t> ids) = 0;
  /// The detectors of these series begin anew: all that was said of them is to be learned again.
  [[nodiscard]] virtual runtime::Async<> renew(Deadline deadline, TenantId tenant, std::vector<SeriesId> series) = 0;
};
[[nodiscard]] std::unique_ptr<FeedbackStore> make_feedback_store(pg::Database& database);

}  // namespace sensus::storage
