#pragma once

#include "sensus/pg/tx.hpp"
#include "sensus/storage/samples.hpp"

#include <cstddef>
#include <vector>

namespace sensus::storage {

struct EndedSeries {
  std::vector<SeriesId> ended;  ///< As FlushResult::ended.
  std::size_t newly_ended = 0;
  std::size_t resumed = 0;
};

/// Ends the series that a flush ends, and lets those go on that have samples later than their end, whatever came first.
/// `series` are the ids of SampleFlush::new_series, `had_ended` tells which of them had ended before. Costs nothing where no series
/// ends, had ended or may have.
[[nodiscard]] EndedSeries write_ends(pg::Tx& tx, const SampleFlush& flush, const std::vector<SeriesId>& series,
                                     const std::vector<bool>& had_ended);

}  // namespace sensus::storage
