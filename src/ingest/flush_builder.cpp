#include "flush_builder_internal.hpp"

#include <algorithm>

namespace sensus::ingest {

FlushBuilder::Lookups FlushBuilder::append(const model::SampleBatch& batch, SeriesCache& cache, SeriesCache& refused, Timestamp now) {
  Lookups out;
  // Before the rows, so that a later sample of the same request lets its series go on.
  append_ends(batch, cache);
  std::size_t last_key = static_cast<std::size_t>(-1);
  Resolved series;
  for (const model::SampleBatch::Row& row : batch.rows()) {
    // Samples of one series that came together share their key.
    if (row.key_begin != last_key) {
      last_key = row.key_begin;
      series = resolve(batch.key(row), cache, refused, now);
    }
    ++(series.known ? out.hits : out.misses);
    if (series.series == 0) {
      ++out.refused;
      continue;
    }
    if (series.ended) {
      note_resumed(series, row.time);
    }
    flush_.rows.push_back({series.series, row.time, row.value});
  }
  return out;
}

void FlushBuilder::append_ends(const model::SampleBatch& batch, SeriesCache& cache) {
  for (const model::SampleBatch::End& end : batch.ends()) {
    const std::string_view key = batch.key(end);
    const SeriesHash hash = hasher_(flush_.tenant, key);
    cache.set_ended(hash, true);
    ending_.insert(hash);
    flush_.ends.push_back({std::string(key), end.time});
    series_.ended.push_back(hash);
    key_bytes_ += key.size() + sizeof(storage::SeriesEnd) + 2 * sizeof(SeriesHash) + 32;
  }
}

/// Samples of one series mostly come side by side.
void FlushBuilder::note_resumed(const Resolved& series, Timestamp time) {
  if (!flush_.resumed.empty() && flush_.resumed.back().series == series.series) {
    flush_.resumed.back().newest = std::max(flush_.resumed.back().newest, time);
    return;
  }
  flush_.resumed.push_back({series.series, time});
  series_.resumed.push_back(series.hash);
}

FlushBuilder::Resolved FlushBuilder::resolve(std::string_view key, SeriesCache& cache, SeriesCache& refused, Timestamp now) {
  const SeriesHash hash = hasher_(flush_.tenant, key);
  const SeriesCache::Found found = cache.find(hash, now);
  const bool ended = found.ended || (!ending_.empty() && ending_.contains(hash));
  if (found.id != 0) {
    if (found.touch) {
      if (flush_.touch.size() < kTouchesMax) {
        flush_.touch.push_back(found.id);
        series_.touched.push_back(hash);
      } else {
        cache.touch_failed(hash, found.id);
      }
    }
    return {found.id, true, ended, hash};
  }
  if (refused.size() > 0 && refused.find(hash, now).id != 0) {
    return {};
  }
  return {new_series(hash, key), false, ended, hash};
}

std::int32_t FlushBuilder::new_series(const SeriesHash& hash, std::string_view key) {
  const std::int32_t reference = -static_cast<std::int32_t>(flush_.new_series.size()) - 1;
  const auto [at, fresh] = new_index_.try_emplace(hash, reference);
  if (fresh) {
    flush_.new_series.emplace_back(key);
    series_.created.push_back(hash);
    key_bytes_ += key.size() + sizeof(std::string) + 2 * sizeof(SeriesHash) + 32;
  }
  return at->second;
}

}  // namespace sensus::ingest
