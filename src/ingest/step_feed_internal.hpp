#pragma once

#include "step_accumulators_internal.hpp"

#include "sensus/storage/samples.hpp"

#include <deque>
#include <limits>
#include <set>
#include <utility>
#include <vector>

namespace sensus::ingest {

/// Puts committed samples into the accumulators, once the open steps of the last run are rebuilt. Until then new commits are kept
/// aside, because the rebuild reads them from storage too: a sample must not count twice. Pure. **Threading**: reactor only.
class StepFeed {
 public:
  explicit StepFeed(StepAccumulators& steps, std::size_t aside_max = 1'000'000) : steps_(steps), aside_max_(aside_max) {}

  /// Rows of series that were not created (id 0) were not stored. Returns how many rows were.
  std::size_t committed(TenantId tenant, const std::vector<storage::SampleRow>& rows, const std::vector<SeriesId>& new_series, Timestamp now);
  /// A page of stored samples. Those kept aside are left out, and so are those of the page before, which overlaps in its last instant.
  void restored(TenantId tenant, const std::vector<storage::SampleStore::RawSample>& page, Timestamp now);
  /// Hands on at most `max` of what was kept aside. True when that was all: from here on commits go straight to the accumulators.
  bool finish_rebuild(Timestamp now, std::size_t max = std::numeric_limits<std::size_t>::max());
  [[nodiscard]] bool live() const { return live_; }
  /// Samples that came while too many were kept aside: their steps miss them.
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_; }

 private:
  struct Aside {
    TenantId tenant;
    SeriesId series;
    model::Sample sample;
  };

  StepAccumulators& steps_;
  std::size_t aside_max_;
  bool live_ = false;
  std::deque<Aside> aside_;
  std::set<std::pair<SeriesId, Timestamp>> aside_keys_;  ///< Of all that was kept aside.
  Timestamp last_page_time_ = Timestamp::min();
  std::vector<SeriesId> last_page_series_;  ///< Series with a sample at last_page_time_, sorted.
  std::uint64_t overflowed_ = 0;
};

}  // namespace sensus::ingest
