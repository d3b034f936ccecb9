#include "flush_builder_internal.hpp"

namespace sensus::ingest {

FlushBuilder::Lookups FlushBuilder::append(const model::SampleBatch& batch, SeriesCache& cache, SeriesCache& refused, Timestamp now) {
  Lookups out;
  std::size_t last_key = static_cast<std::size_t>(-1);
  std::int32_t series = 0;
  bool known = false;
  for (const model::SampleBatch::Row& row : batch.rows()) {
    // Samples of one series that came together share their key.
    if (row.key_begin != last_key) {
      last_key = row.key_begin;
      series = resolve(batch.key(row), cache, refused, now, known);
    }
    ++(known ? out.hits : out.misses);
    if (series == 0) {
      ++out.refused;
      continue;
    }
    flush_.rows.push_back({series, row.time, row.value});
  }
  return out;
}

std::int32_t FlushBuilder::resolve(std::string_view key, SeriesCache& cache, SeriesCache& refused, Timestamp now, bool& known) {
  const SeriesHash hash = hasher_(flush_.tenant, key);
  const SeriesCache::Found found = cache.find(hash, now);
  known = found.id != 0;
  if (known) {
    if (found.touch) {
      if (flush_.touch.size() < kTouchesMax) {
        flush_.touch.push_back(found.id);
        series_.touched.push_back(hash);
      } else {
        cache.touch_failed(hash, found.id);
      }
    }
    return found.id;
  }
  if (refused.size() > 0 && refused.find(hash, now).id != 0) {
    return 0;
  }
  return new_series(hash, key);
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
