#pragma once

#include "storage/alert_plan_internal.hpp"

#include "sensus/pg/tx.hpp"

#include <string>

namespace sensus::storage {

/// Columns of `alerts a` in the order that read_episode expects.
extern const std::string kEpisodeColumns;
[[nodiscard]] model::Episode read_episode(const pg::Rows& rows, std::size_t row);

/// The transaction of AlertStore::store. Returns the outcomes in the order of the arrivals.
[[nodiscard]] std::vector<AlertOutcome> merge_alerts(pg::Tx& tx, TenantId tenant,
                                                     const model::AlertBatch& batch,
                                                     Timestamp received_at);

}  // namespace sensus::storage
