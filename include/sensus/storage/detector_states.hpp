#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/pg/database.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace sensus::storage {

struct DetectorState {
  SeriesId series = 0;
  Timestamp last_time;  ///< Of the last step in it.
  std::string bytes;    ///< Opaque here; whoever seals it tells damage.
};

/// What detectors have learned, by (tenant, model key, series). A model key names algorithm and parameters, so that states of different
/// models never mix. **Threading**: reactor. **Errors**: as pg::Database.
class DetectorStateStore {
 public:
  virtual ~DetectorStateStore() = default;
  /// Writes all or none. A stored state with a later `last_time` stays: whoever writes late does not turn the clock back.
  [[nodiscard]] virtual runtime::Async<std::size_t> save(Deadline deadline, TenantId tenant, std::string model_key,
                                                         std::vector<DetectorState> states) = 0;
  /// Those of the series that have one, by series.
  [[nodiscard]] virtual runtime::Async<std::vector<DetectorState>> load(Deadline deadline, TenantId tenant, std::string model_key,
                                                                        std::vector<SeriesId> series) = 0;
  /// Deletes at most `limit` states that were not saved for `idle`; returns how many.
  [[nodiscard]] virtual runtime::Async<std::size_t> purge(Deadline deadline, TenantId tenant, std::chrono::hours idle,
                                                          std::size_t limit) = 0;
};
[[nodiscard]] std::unique_ptr<DetectorStateStore> make_detector_state_store(pg::Database& database);

}  // namespace sensus::storage
