#pragma once

#include "series_cache_internal.hpp"

#include "sensus/model/sample.hpp"
#include "sensus/storage/samples.hpp"

#include <string>
#include <string_view>
#include <unordered_map>

namespace sensus::ingest {

/// Collects the rows of many requests of one tenant into one SampleFlush. A series the cache does not know becomes a `new_series`
/// of the flush, once, however often it occurs. **Threading**: reactor only.
class FlushBuilder {
 public:
  explicit FlushBuilder(TenantId tenant) { flush_.tenant = tenant; }

  struct Lookups {
    std::size_t hits = 0;
    std::size_t misses = 0;
  };
  Lookups append(const model::SampleBatch& batch, SeriesCache& cache);

  [[nodiscard]] TenantId tenant() const { return flush_.tenant; }
  [[nodiscard]] std::size_t rows() const { return flush_.rows.size(); }
  /// What the rows and new keys take in memory.
  [[nodiscard]] std::size_t bytes() const { return flush_.rows.size() * sizeof(storage::SampleRow) + key_bytes_; }
  /// **Post**: the builder is spent.
  [[nodiscard]] storage::SampleFlush take() { return std::move(flush_); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  std::int32_t new_series(std::string_view key);

  storage::SampleFlush flush_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> new_index_;
  std::size_t key_bytes_ = 0;
};

}  // namespace sensus::ingest
