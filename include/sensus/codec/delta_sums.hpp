#pragma once

#include "sensus/model/labels.hpp"
#include "sensus/model/sample.hpp"

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace sensus::codec {

/// Adds increments up, per series, so that senders of deltas are kept like senders of totals. A
/// total goes on from what `seed` says is stored, else it begins at zero; readers take that for the
/// reset of a counter.
///
/// A body that is sent again because its answer was lost or a 503 must not count twice: an
/// increment at the time of the series' last one is taken for a repetition and gives the same
/// total, an older one gives nothing. So a series' increments must come in order of time.
///
/// **Limits**: at most `series_max` series of about 70 bytes each; the least recently seen half
/// makes room.
/// **Threading**: one thread at a time. Pure otherwise: no clock, no I/O.
class DeltaSums {
 public:
  explicit DeltaSums(std::size_t series_max) : half_(series_max / 2 + series_max % 2) {}

  /// Series of these increments of which no total is known, each once: to be asked for before `add`.
  [[nodiscard]] std::vector<model::LabelsHash> unknown(const model::SampleBatch& increments) const;
  /// The last total that is stored of a series, and its time, so that an increment that is repeated
  /// after a restart does not count twice either. Nothing changes when a total is known by now, or
  /// when nothing can be added to this one.
  void seed(const model::LabelsHash& series, Timestamp last, double total);

  struct Added {
    std::size_t late = 0;       ///< Increments older than their series' last: not counted again.
    std::size_t forgotten = 0;  ///< Series that made room.
  };
  /// Appends the totals to `totals`.
  Added add(const model::SampleBatch& increments, model::SampleBatch& totals);

  [[nodiscard]] std::size_t size() const { return recent_.size() + older_.size(); }

 private:
  struct Sum {
    Timestamp last;
    double total = 0;
  };
  struct Hash {
    std::size_t operator()(const model::LabelsHash& hash) const;
  };
  using Sums = std::unordered_map<model::LabelsHash, Sum, Hash>;

  /// The series' sum, moved to or made in recent_.
  Sum& find(const model::LabelsHash& series, Added& added);

  std::size_t half_;
  // Two generations instead of a list: as cheap as a hash table, and what was not touched for a
  // whole generation goes.
  Sums recent_;
  Sums older_;
};

}  // namespace sensus::codec
