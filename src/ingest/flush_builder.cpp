#include "flush_builder_internal.hpp"

namespace sensus::ingest {

FlushBuilder::Lookups FlushBuilder::append(const model::SampleBatch& batch, SeriesCache& cache) {
  Lookups out;
  for (const model::SampleBatch::Row& row : batch.rows()) {
    const std::string_view key = batch.key(row);
    std::int32_t series = cache.find(flush_.tenant, key);
    if (series != 0) {
      ++out.hits;
    } else {
      ++out.misses;
      series = new_series(key);
    }
    flush_.rows.push_back({series, row.time, row.value});
  }
  return out;
}

std::int32_t FlushBuilder::new_series(std::string_view key) {
  if (const auto at = new_index_.find(key); at != new_index_.end()) {
    return at->second;
  }
  const std::int32_t reference = -static_cast<std::int32_t>(flush_.new_series.size()) - 1;
  flush_.new_series.emplace_back(key);
  new_index_.emplace(std::string(key), reference);
  key_bytes_ += 2 * key.size() + sizeof(std::string);
  return reference;
}

}  // namespace sensus::ingest
