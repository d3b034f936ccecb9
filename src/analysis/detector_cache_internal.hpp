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
#include <utility>
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

/// Detectors by series, within a number and a budget of bytes. A detector is lent out to be used on another thread and given back; one that
/// is not given back (its job was given up) leaves an empty place, to be learned anew.
/// **The budget** reckons with what a detector takes when it is full-grown (ml::memory_of), so it is never gone beyond. Where there is no room
/// for another series, those that were idle go first, the least recently used of them at the head; then detectors of the profile asked for
/// become compact ones, again from the least recently used on: their places are empty until they are learned as such.
/// **Threading**: reactor.
class DetectorCache {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Only what was idle this long is evicted: see AnomalyWorker.
  static constexpr std::chrono::minutes kIdle{15};

  struct Limits {
    std::size_t series = 0;
    std::size_t bytes = 0;
    ml::Profile profile = ml::Profile::standard;
  };
  explicit DetectorCache(const Limits& limits) : limits_(limits) {}

  enum class Place { warm, empty, no_series_left, no_memory_left };
  /// Marks the series as used now and makes a place for it, if there can be one.
  [[nodiscard]] Place admit(SeriesKey key, TimePoint now);
  /// What the series' detector is to be: the profile asked for, or compact where memory is short. Of a series with a place.
  [[nodiscard]] ml::Profile profile_of(SeriesKey key) const;
  /// The detector, which leaves an empty place; nullptr when there is none.
  [[nodiscard]] std::unique_ptr<SeriesScorer> lend(SeriesKey key);
  /// Dropped when the series lost its place meanwhile, or is to have another profile by now.
  void give_back(SeriesKey key, ml::Profile profile, std::unique_ptr<SeriesScorer> scorer);
  /// Those that were evicted since the last call, to be saved.
  struct Evicted {
    SeriesKey key;
    ml::Profile profile = ml::Profile::standard;
    Timestamp saved_time;
    std::unique_ptr<SeriesScorer> scorer;
  };
  [[nodiscard]] std::vector<Evicted> take_evicted() { return std::exchange(evicted_, {}); }

  /// To look at, until it is lent or given back; nullptr when there is none or it is lent out.
  [[nodiscard]] const SeriesScorer* peek(SeriesKey key) const;
  /// To change on the reactor, until it is lent; nullptr when there is none or it is lent out.
  [[nodiscard]] SeriesScorer* get(SeriesKey key);
  /// When the series was used last; the beginning of time when it has no place.
  [[nodiscard]] TimePoint used_at(SeriesKey key) const;
  /// The last step of the saved state of the series; the beginning of time when there is none.
  [[nodiscard]] Timestamp saved_time(SeriesKey key) const;
  void mark_saved(SeriesKey key, Timestamp time);
  /// It has changed without a further step.
  void mark_unsaved(SeriesKey key);

  /// Forgets all of them; what is lent out finds no place when it comes back.
  void clear(ml::Profile profile);

  [[nodiscard]] std::vector<SeriesKey> keys() const;
  [[nodiscard]] std::size_t size() const { return index_.size(); }
  [[nodiscard]] std::size_t size(ml::Profile profile) const;
  /// What the detectors are reckoned to take.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t evictions() const { return evictions_; }
  [[nodiscard]] std::size_t shrunk() const { return shrunk_; }

 private:
  struct Entry {
    SeriesKey key;
    TimePoint used_at;
    ml::Profile profile = ml::Profile::standard;
    std::unique_ptr<SeriesScorer> scorer;
    Timestamp saved_time = Timestamp::min();
  };
  [[nodiscard]] bool fits(ml::Profile profile) const;
  /// The least recently used entry goes, if it was idle.
  bool evict_idle(TimePoint now);
  /// The least recently used of those that are not compact becomes so.
  bool shrink_one();
  [[nodiscard]] std::list<Entry>& list_of(ml::Profile profile) { return profile == ml::Profile::compact ? compact_ : large_; }
  void place(SeriesKey key, TimePoint now, ml::Profile profile);
  [[nodiscard]] const Entry* find(SeriesKey key) const;
  [[nodiscard]] Entry* find(SeriesKey key);

  Limits limits_;
  std::size_t bytes_ = 0;
  std::size_t evictions_ = 0;
  std::size_t shrunk_ = 0;
  std::list<Entry> large_;  ///< Not compact. Most recently used first, as the next.
  std::list<Entry> compact_;
  std::vector<Evicted> evicted_;
  std::unordered_map<SeriesKey, std::list<Entry>::iterator, SeriesKeyHash> index_;
};

}  // namespace sensus::analysis
