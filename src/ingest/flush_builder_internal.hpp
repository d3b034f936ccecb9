#pragma once

#include "series_cache_internal.hpp"

#include "sensus/model/sample.hpp"
#include "sensus/storage/samples.hpp"

#include <chrono>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace sensus::ingest {

/// The series of a flush beside what the writer needs of them: their hashes, in the order of the flush.
struct FlushSeries {
  std::vector<SeriesHash> created;  ///< Of SampleFlush::new_series.
  std::vector<SeriesHash> touched;  ///< Of SampleFlush::touch.
  std::vector<SeriesHash> ended;    ///< Of SampleFlush::ends.
  std::vector<SeriesHash> resumed;  ///< Of SampleFlush::resumed.
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
  /// Rows of series that `refused` holds (the cache does not) are left out. Series that end are marked in the cache, which is
  /// harmless should the flush fail: a later sample finds that they go on.
  Lookups append(const model::SampleBatch& batch, SeriesCache& cache, SeriesCache& refused, Timestamp now);

  [[nodiscard]] TenantId tenant() const { return flush_.tenant; }
  [[nodiscard]] std::size_t rows() const { return flush_.rows.size(); }
  [[nodiscard]] std::size_t ends() const { return flush_.ends.size(); }
  /// What the rows, the ends and the new keys take in memory.
  [[nodiscard]] std::size_t bytes() const {
    return flush_.rows.size() * sizeof(storage::SampleRow) + flush_.resumed.size() * kResumedBytes + key_bytes_;
  }
  /// **Post**: the builder is spent.
  [[nodiscard]] storage::SampleFlush take() { return std::move(flush_); }
  [[nodiscard]] FlushSeries take_series() { return std::move(series_); }

 private:
  static constexpr std::size_t kResumedBytes = sizeof(storage::SampleFlush::Resumed) + sizeof(SeriesHash);
  struct Resolved {
    std::int32_t series = 0;  ///< A known series' id, a reference to a new one, or 0 when it is refused.
    bool known = false;
    bool ended = false;  ///< It may have.
    SeriesHash hash;
  };
  Resolved resolve(std::string_view key, SeriesCache& cache, SeriesCache& refused, Timestamp now);
  std::int32_t new_series(const SeriesHash& hash, std::string_view key);
  void append_ends(const model::SampleBatch& batch, SeriesCache& cache);
  void note_resumed(const Resolved& series, Timestamp time);

  const SeriesHasher& hasher_;
  storage::SampleFlush flush_;
  FlushSeries series_;
  std::unordered_map<SeriesHash, std::int32_t, SeriesHashBits> new_index_;
  std::unordered_set<SeriesHash, SeriesHashBits> ending_;  ///< Of the ends.
  std::size_t key_bytes_ = 0;
};

}  // namespace sensus::ingest
