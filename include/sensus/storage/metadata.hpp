#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/model/metadata.hpp"
#include "sensus/pg/database.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sensus::storage {

struct MetadataQuery {
  std::string family;  ///< Empty = all.
  std::size_t limit = 1000;
};

/// Type, unit and help of metric families. **Threading**: reactor. **Errors**: as pg::Database.
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;

  struct Stored {
    std::size_t written = 0;  ///< New or changed rows; what is as it was is not written again.
    std::size_t refused = 0;  ///< New families beyond the limit.
  };
  /// Each family once, texts valid and within the limits of their caller. What is empty or unknown
  /// does not erase what another sender said. At most `families_max` families a tenant: those that
  /// exist go on.
  [[nodiscard]] virtual runtime::Async<Stored> store(Deadline deadline, TenantId tenant,
                                                     std::vector<model::MetricMetadata> families,
                                                     std::size_t families_max) = 0;
  /// By family name.
  [[nodiscard]] virtual runtime::Async<std::vector<model::MetricMetadata>> list(
      Deadline deadline, TenantId tenant, MetadataQuery query) = 0;
  /// The metadata of series of these names (`x_bucket` finds the histogram `x`), for analysis and
  /// lists. Names of which nothing is known are not among the keys.
  using ByMetric = std::map<std::string, model::MetricMetadata, std::less<>>;
  [[nodiscard]] virtual runtime::Async<ByMetric> of_metrics(
      Deadline deadline, TenantId tenant, std::vector<std::string> metric_names) = 0;
};
[[nodiscard]] std::unique_ptr<MetadataStore> make_metadata_store(pg::Database& database);

}  // namespace sensus::storage
