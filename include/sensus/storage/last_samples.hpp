#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/model/labels.hpp"
#include "sensus/model/sample.hpp"
#include "sensus/pg/database.hpp"

#include <memory>
#include <vector>

namespace sensus::storage {

struct LastSample {
  model::LabelsHash series;  ///< model::hash_series_key.
  model::Sample sample;
};

/// The newest stored sample of series. **Threading**: reactor. **Errors**: as pg::Database.
class LastSampleStore {
 public:
  virtual ~LastSampleStore() = default;
  /// In no order. Series that are not stored, or whose newest sample is far from when they were
  /// last seen (a day of old samples that came late), are not among them.
  [[nodiscard]] virtual runtime::Async<std::vector<LastSample>> last_of(
      Deadline deadline, TenantId tenant, std::vector<model::LabelsHash> series) = 0;
};
[[nodiscard]] std::unique_ptr<LastSampleStore> make_last_sample_store(pg::Database& database);

}  // namespace sensus::storage
