#pragma once

#include "flat_table_internal.hpp"
#include "series_hash_internal.hpp"

#include "sensus/core/ids.hpp"
#include "sensus/core/time.hpp"

#include <chrono>
#include <cstdint>
#include <unordered_map>

namespace sensus::ingest {

/// Series -> id, so that a known series costs no round trip. 32 bytes a series: keys are not kept, a 122-bit keyed hash stands for
/// them. Pure: time is an argument. **Threading**: reactor only.
///
/// **Limits**: at most `capacity` series; then the clock algorithm evicts what was not used since its hand last passed, which is
/// close to LRU without a list. A series without samples for `idle` leaves by `expire`. A miss is harmless: the writer asks the database.
///
/// **The rule that makes removal of series rows safe.** Every entry has a time of confirmation, and the row's `last_seen` is never
/// older than that (both as ages; clocks need not agree):
/// - A write that names, creates or touches a series leaves `last_seen` = now() in the row, or has read how old it is; the entry is
///   confirmed as of that time, counted from before the write.
/// - A series in use is touched again kTouchAfter (and up to kTouchSpread) later.
/// - An id is given out only while its confirmation is younger than `idle` (at most kIdleMax). After that the series is asked
///   for by its key again, in the transaction that writes its samples: the writer takes an old row only by updating its `last_seen`,
///   which holds the row's lock, and creates a new row when the old one is gone.
/// So whoever removes rows, in whatever replica, may remove those with `last_seen` older than kRemovableAfter and must state that
/// condition in the DELETE itself (it is looked at again after waiting for the row). The difference, 13 hours, covers a flush on
/// its way (minutes) and a clock that was set back by up to kIdleMax (one set back further makes entries look confirmed in the
/// future: those are not given out).
class SeriesCache {
 public:
  static constexpr std::chrono::hours kIdleMax{12};
  static constexpr std::chrono::hours kRemovableAfter{25};
  static constexpr std::chrono::minutes kTouchAfter{10};
  static constexpr std::chrono::minutes kTouchSpread{5};

  SeriesCache(std::size_t capacity, std::chrono::seconds idle);

  struct Found {
    SeriesId id = 0;     ///< 0 = unknown.
    bool touch = false;  ///< Its confirmation is due; said once, until `touched` or `touch_failed`.
    bool ended = false;  ///< It may have ended: its samples may have to say that it goes on.
  };
  [[nodiscard]] Found find(const SeriesHash& hash, Timestamp now);
  void insert(TenantId tenant, const SeriesHash& hash, SeriesId id, Timestamp confirmed);
  /// Of a series that is known, until `set_ended` says otherwise. One that is not known learns it with its row.
  void set_ended(const SeriesHash& hash, bool ended);
  /// The id, also of one that is not confirmed; 0 = not there.
  [[nodiscard]] SeriesId id_of(const SeriesHash& hash);
  void touched(const SeriesHash& hash, SeriesId id, Timestamp confirmed);
  void touch_failed(const SeriesHash& hash, SeriesId id);
  /// The database has no such row.
  void forget(const SeriesHash& hash, SeriesId id);
  /// Drops idle series among the next `slots_max` slots, and shrinks the table when it has become too large. Returns how many went.
  std::size_t expire(Timestamp now, std::size_t slots_max);

  [[nodiscard]] std::size_t size() const { return table_.size(); }
  [[nodiscard]] std::size_t slots() const { return table_.slots(); }
  /// Series of one tenant.
  [[nodiscard]] std::size_t active(TenantId tenant) const;
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }
  [[nodiscard]] std::uint64_t expired() const { return expired_; }

 private:
  struct Slot {
    SeriesHash hash;
    SeriesId id = 0;
    std::uint32_t confirmed_s = 0;  ///< Since 1970.
    TenantId tenant = 0;
    bool used = false;
    bool touching = false;
    bool ended = false;

    [[nodiscard]] const SeriesHash& key() const { return hash; }
    [[nodiscard]] bool empty() const { return id == 0; }
    [[nodiscard]] static std::size_t hash_of(const SeriesHash& hash) { return SeriesHashBits{}(hash); }
  };

  [[nodiscard]] bool is_valid(const Slot& slot, std::uint32_t now_s) const {
    return slot.confirmed_s <= now_s && now_s - slot.confirmed_s < idle_s_;
  }
  [[nodiscard]] Slot* find_slot(const SeriesHash& hash, SeriesId id);
  void evict();
  void drop(std::size_t at);

  std::size_t capacity_;
  std::uint32_t idle_s_;
  FlatTable<Slot> table_;
  std::unordered_map<TenantId, std::size_t> active_;
  std::size_t hand_ = 0;
  std::size_t sweep_ = 0;
  std::uint64_t evictions_ = 0;
  std::uint64_t expired_ = 0;
};

}  // namespace sensus::ingest
