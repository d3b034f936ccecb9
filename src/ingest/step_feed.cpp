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
    } else {
      ++overflowed_;
    }
  }
  return rows.size() - refused;
}

void StepFeed::restored(TenantId tenant, const std::vector<storage::SampleStore::RawSample>& page, Timestamp now) {
  std::set<std::pair<SeriesId, Timestamp>> skip;
  for (const Aside& row : aside_) {
    if (row.tenant == tenant) {
      skip.emplace(row.series, row.sample.time);
    }
  }
  for (const SeriesId series : last_page_series_) {
    skip.emplace(series, last_page_time_);
  }
  for (const auto& raw : page) {
    if (!skip.contains({raw.series, raw.sample.time})) {
      steps_.add(tenant, raw.series, raw.sample.time, raw.sample.value, now);
    }
    if (raw.sample.time > last_page_time_) {
      last_page_time_ = raw.sample.time;
      last_page_series_.clear();
    }
    last_page_series_.push_back(raw.series);
  }
}

void StepFeed::finish_rebuild(Timestamp now) {
  live_ = true;
  for (const Aside& row : std::exchange(aside_, {})) {
    steps_.add(row.tenant, row.series, row.sample.time, row.sample.value, now);
  }
  last_page_series_ = {};
}

}  // namespace sensus::ingest
