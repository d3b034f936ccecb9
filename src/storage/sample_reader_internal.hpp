#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"
#include "sensus/pg/tx.hpp"
#include "storage/step_fold_internal.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace sensus::storage {

struct TimedValue {
  std::int64_t time_us = 0;
  double value = 0;
};

/// Samples of the series at this place of the list that was asked for: ascending, each time once.
using TakeSamples = std::function<void(std::size_t index, std::span<const TimedValue> samples)>;
using TakeSlots = std::function<void(std::size_t index, const RolledSlot& slot)>;

/// Which rollups, and which of their columns: the one that the aggregation is made of.
struct RolledColumn {
  std::chrono::seconds slot{};
  Aggregation aggregation = Aggregation::avg;
};

struct TimeSpan {
  Timestamp from;  ///< Inclusive.
  Timestamp to;    ///< Exclusive.
};

/// Reads samples of some series out of batch rows, chunks and rollups, in slices of series and time
/// whose size follows from what the slices before held, so that memory is bounded by samples and
/// not by the question. Each slice is one statement, which sees either the batch rows or the chunks
/// that compaction made of them.
/// **Threading**: inside a transaction's job. **Limits**: `samples_max` samples, beyond it
/// invalid_input.
class SampleReader {
 public:
  SampleReader(pg::Tx& tx, TenantId tenant, std::size_t samples_max)
      : tx_(tx), tenant_(tenant), samples_max_(samples_max) {}

  /// `ids` ascending. Calls `take` with the samples of a series in ascending parts. Of a (series,
  /// time) that was written twice the last write counts.
  [[nodiscard]] Result<> read(const std::vector<SeriesId>& ids, TimeSpan span,
                              const TakeSamples& take);

  /// The same window out of rollups where whole days of all these series are in chunks, the rest
  /// out of samples. `span.from` is a multiple of the slot.
  [[nodiscard]] Result<> read_rolled(const std::vector<SeriesId>& ids, TimeSpan span,
                                     RolledColumn column, const TakeSlots& take_slots,
                                     const TakeSamples& take);

 private:
  Result<> read_group(const std::vector<SeriesId>& ids, TimeSpan span, const TakeSamples& take);
  Result<> read_slice(const std::vector<SeriesId>& ids, TimeSpan span, const TakeSamples& take);
  [[nodiscard]] std::vector<Timestamp> rolled_days(const std::vector<SeriesId>& ids, TimeSpan span);
  void read_slots(const std::vector<SeriesId>& ids, TimeSpan span, RolledColumn column,
                  const std::vector<Timestamp>& rolled, const TakeSlots& take);

  pg::Tx& tx_;
  TenantId tenant_;
  std::size_t samples_max_;
  std::size_t samples_read_ = 0;
  double samples_a_second_ =
      1;                      ///< Of one series, as seen so far; a guess on the high side at first.
  std::size_t group_at_ = 0;  ///< Where the group that is read begins among the ids asked for.
  std::vector<std::vector<TimedValue>> gathered_;
};

}  // namespace sensus::storage
