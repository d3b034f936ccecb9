#pragma once

#include "series_scorer_internal.hpp"

#include "sensus/core/ids.hpp"
#include "sensus/core/time.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

namespace sensus::analysis {

struct SeriesKey {
  TenantId tenant = kDefaultTenant;
  SeriesId series = 0;
  friend auto operator<=>(const SeriesKey&, const SeriesKey&) = default;
};

struct SeriesKeyHash {
  std::size_t operator()(const SeriesKey& key) const {
    const auto tenant = static_cast<std::uint64_t>(static_cast<std::uint32_t>(key.tenant));
    return std::hash<std::uint64_t>{}((tenant << 32U) | static_cast<std::uint32_t>(key.series));
  }
};

/// Detectors by series, least recently used first to go. A detector is lent out to be used on another thread and given back; one that is
/// not given back (its job was given up) leaves an empty place, to be learned anew. **Threading**: reactor.
class DetectorCache {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// A full cache evicts only what was idle this long: see AnomalyWorker.
  static constexpr std::chrono::minutes kIdle{15};

  explicit DetectorCache(std::size_t limit) : limit_(limit) {}

  enum class Place { warm, empty, refused };
  /// Marks the series as used now and makes a place for it; `refused` when the cache is full of busy ones.
  [[nodiscard]] Place admit(SeriesKey key, TimePoint now);
  /// The detector, which leaves an empty place; nullptr when there is none.
  [[nodiscard]] std::unique_ptr<SeriesScorer> lend(SeriesKey key);
  void give_back(SeriesKey key, std::unique_ptr<SeriesScorer> detector);

  /// To look at, until it is lent or given back; nullptr when there is none or it is lent out.
  [[nodiscard]] const SeriesScorer* peek(SeriesKey key) const;
  /// To change on the reactor, until it is lent; nullptr when there is none or it is lent out.
  [[nodiscard]] SeriesScorer* get(SeriesKey key);
  /// The last step of the saved state of the series; the beginning of time when there is none.
  [[nodiscard]] Timestamp saved_time(SeriesKey key) const;
  void mark_saved(SeriesKey key, Timestamp time);
  /// It has changed without a further step.
  void mark_unsaved(SeriesKey key);

  /// Forgets all of them; what is lent out finds no place when it comes back.
  void clear();

  [[nodiscard]] std::vector<SeriesKey> keys() const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t evictions() const { return evictions_; }

 private:
  struct Entry {
    SeriesKey key;
    TimePoint used_at;
    std::unique_ptr<SeriesScorer> detector;
    Timestamp saved_time = Timestamp::min();
  };
  std::size_t limit_;
  std::size_t evictions_ = 0;
  std::list<Entry> entries_;  ///< Most recently used first.
  std::unordered_map<SeriesKey, std::list<Entry>::iterator, SeriesKeyHash> index_;
};

}  // namespace sensus::analysis
