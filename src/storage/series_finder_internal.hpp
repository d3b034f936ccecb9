#pragma once

#include "sensus/pg/tx.hpp"
#include "sensus/storage/samples.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace sensus::storage {

struct SeriesSearch {
  model::Selector selector;            ///< All of them must match.
  SeriesId after = 0;                  ///< Ids greater than this.
  std::optional<Timestamp> seen_from;  ///< Only series that had samples since an hour before.
  std::size_t limit = 100;
  bool selective =
      false;  ///< A matcher must refuse the empty value, else every series would be chosen.
};

/// A name and matchers of the older kind as one selector.
[[nodiscard]] model::Selector join_selector(const std::string& metric_name,
                                            const std::vector<model::Matcher>& matchers,
                                            const model::Selector& selector);

/// Series that match, by ascending id. Regular expressions are matched by PostgreSQL, under a time
/// limit of their own.
/// **Errors**: invalid_input for a regular expression that is not understood, a selector that is
/// not selective, or one that takes too many names; timeout.
[[nodiscard]] Result<std::vector<SeriesInfo>> find_series(pg::Tx& tx, TenantId tenant,
                                                          const SeriesSearch& search);

/// Those of the series that exist, by id, with the first of the selectors that matches each.
[[nodiscard]] Result<std::vector<SeriesMatch>> match_series(pg::Tx& tx, TenantId tenant,
                                                            const std::vector<SeriesId>& ids,
                                                            const std::vector<model::Selector>& selectors);

[[nodiscard]] std::vector<SeriesInfo> read_series(const pg::Rows& rows);

}  // namespace sensus::storage
