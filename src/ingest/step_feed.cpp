#include "step_feed_internal.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace sensus::ingest {

std::size_t StepFeed::committed(TenantId tenant, const std::vector<storage::SampleRow>& rows, const std::vector<SeriesId>& new_series,
                                Timestamp now) {
  std::size_t refused = 0;
  for (const storage::SampleRow& row : rows) {
    const SeriesId series = row.series > 0 ? row.series : new_series[static_cast<std::size_t>(-row.series) - 1];
    if (series == 0) {
      ++refused;
    } else if (live_) {
      steps_.add(tenant, series, row.time, row.value, now);
    } else if (aside_.size() < aside_max_) {
      aside_.push_back({tenant, series, {row.time, row.value}});
      aside_keys_.emplace(series, row.time);
    } else {
      ++overflowed_;
    }
  }
  return rows.size() - refused;
}

void StepFeed::restored(TenantId tenant, const std::vector<storage::SampleStore::RawSample>& page, Timestamp now) {
  const std::set<SeriesId> seen(last_page_series_.begin(), last_page_series_.end());
  const Timestamp seen_at = last_page_time_;
  for (const auto& raw : page) {
    const bool repeated = raw.sample.time == seen_at && seen.contains(raw.series);
    if (raw.is_counter) {
      steps_.mark_counter(raw.series);
    }
    if (!repeated && !aside_keys_.contains({raw.series, raw.sample.time})) {
      steps_.add(tenant, raw.series, raw.sample.time, raw.sample.value, now);
    }
    if (raw.sample.time > last_page_time_) {
      last_page_time_ = raw.sample.time;
      last_page_series_.clear();
    }
    last_page_series_.push_back(raw.series);
  }
}

bool StepFeed::finish_rebuild(Timestamp now, std::size_t max) {
  for (std::size_t i = 0; i < max && !aside_.empty(); ++i) {
    const Aside& row = aside_.front();
    steps_.add(row.tenant, row.series, row.sample.time, row.sample.value, now);
    aside_.pop_front();
  }
  live_ = aside_.empty();
  if (live_) {
    last_page_series_ = {};
    aside_keys_ = {};
  }
  return live_;
}

}  // namespace sensus::ingest
