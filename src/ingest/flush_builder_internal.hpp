#pragma once

#include "series_cache_internal.hpp"

#include "sensus/model/sample.hpp"
#include "sensus/storage/samples.hpp"

#include <chrono>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sensus::ingest {

/// The series of a flush beside what the writer needs of them: their hashes, in the order of the flush.
struct FlushSeries {
  std::vector<SeriesHash> created;  ///< Of SampleFlush::new_series.
  std::vector<SeriesHash> touched;  ///< Of SampleFlush::touch.
};

/// Collects the rows of many requests of one tenant into one SampleFlush. A series the cache does not know becomes a `new_series`
/// of the flush, once, however often it occurs. **Threading**: reactor only.
class FlushBuilder {
 public:
  /// Touches of one flush, so that its senders do not wait for many; the rest goes with the next ones.
  static constexpr std::size_t kTouchesMax = 1000;

  FlushBuilder(TenantId tenant, const SeriesHasher& hasher) : hasher_(hasher) { flush_.tenant = tenant; }

  struct Lookups {
    std::size_t hits = 0;
    std::size_t misses = 0;
    std::size_t refused = 0;  ///< Rows that were left out: `refused` holds their series.
  };
  /// Rows of series that `refused` holds (the cache does not) are left out.
  Lookups append(const model::SampleBatch& batch, SeriesCache& cache, SeriesCache& refused, Timestamp now);

  [[nodiscard]] TenantId tenant() const { return flush_.tenant; }
  [[nodiscard]] std::size_t rows() const { return flush_.rows.size(); }
  /// What the rows and new keys take in memory.
  [[nodiscard]] std::size_t bytes() const { return flush_.rows.size() * sizeof(storage::SampleRow) + key_bytes_; }
  /// **Post**: the builder is spent.
  [[nodiscard]] storage::SampleFlush take() { return std::move(flush_); }
  [[nodiscard]] FlushSeries take_series() { return std::move(series_); }

 private:
  /// A known series' id, a reference to a new one, or 0 when it is refused.
  std::int32_t resolve(std::string_view key, SeriesCache& cache, SeriesCache& refused, Timestamp now, bool& known);
  std::int32_t new_series(const SeriesHash& hash, std::string_view key);

  const SeriesHasher& hasher_;
  storage::SampleFlush flush_;
  FlushSeries series_;
  std::unordered_map<SeriesHash, std::int32_t, SeriesHashBits> new_index_;
  std::size_t key_bytes_ = 0;
};

}  // namespace sensus::ingest
