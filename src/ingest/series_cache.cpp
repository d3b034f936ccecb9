#include "series_cache_internal.hpp"

#include <algorithm>

namespace sensus::ingest {
namespace {

std::uint32_t seconds_of(Timestamp time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  return static_cast<std::uint32_t>(std::max<decltype(seconds)>(seconds, 0));
}

constexpr std::uint32_t seconds_of(std::chrono::seconds duration) { return static_cast<std::uint32_t>(duration.count()); }

}  // namespace

SeriesCache::SeriesCache(std::size_t capacity, std::chrono::seconds idle)
    : capacity_(std::max<std::size_t>(capacity, 1)), idle_s_(seconds_of(std::min<std::chrono::seconds>(idle, kIdleMax))) {}

SeriesCache::Found SeriesCache::find(const SeriesHash& hash, Timestamp now) {
  Slot* slot = table_.find(hash);
  const std::uint32_t now_s = seconds_of(now);
  if (slot == nullptr || !is_valid(*slot, now_s)) {
    return {};
  }
  slot->used = true;
  const std::uint32_t due = seconds_of(kTouchAfter) + static_cast<std::uint32_t>(hash.b % seconds_of(kTouchSpread));
  const bool touch = !slot->touching && now_s - slot->confirmed_s >= due;
  slot->touching = slot->touching || touch;
  return {slot->id, touch, slot->ended};
}

void SeriesCache::insert(TenantId tenant, const SeriesHash& hash, SeriesId id, Timestamp confirmed) {
  if (table_.size() >= capacity_ && table_.find(hash) == nullptr) {
    evict();
  }
  const auto [slot, fresh] = table_.find_or_place(hash);
  if (fresh) {
    ++active_[tenant];
  }
  *slot = Slot{hash, id, seconds_of(confirmed), tenant, slot->used, false, slot->ended};
}

void SeriesCache::set_ended(const SeriesHash& hash, bool ended) {
  if (Slot* slot = table_.find(hash)) {
    slot->ended = ended;
  }
}

SeriesId SeriesCache::id_of(const SeriesHash& hash) {
  const Slot* slot = table_.find(hash);
  return slot == nullptr ? 0 : slot->id;
}

SeriesCache::Slot* SeriesCache::find_slot(const SeriesHash& hash, SeriesId id) {
  Slot* slot = table_.find(hash);
  return slot != nullptr && slot->id == id ? slot : nullptr;
}

void SeriesCache::touched(const SeriesHash& hash, SeriesId id, Timestamp confirmed) {
  if (Slot* slot = find_slot(hash, id)) {
    slot->confirmed_s = std::max(slot->confirmed_s, seconds_of(confirmed));
    slot->touching = false;
  }
}

void SeriesCache::touch_failed(const SeriesHash& hash, SeriesId id) {
  if (Slot* slot = find_slot(hash, id)) {
    slot->touching = false;
  }
}

void SeriesCache::forget(const SeriesHash& hash, SeriesId id) {
  if (Slot* slot = find_slot(hash, id)) {
    --active_[slot->tenant];
    table_.erase(slot);
  }
}

void SeriesCache::evict() {
  // Ends within two rounds: the first clears every mark.
  for (;; ++hand_) {
    hand_ = hand_ < table_.slots() ? hand_ : 0;
    Slot& slot = table_.slot(hand_);
    if (!slot.empty() && !slot.used) {
      break;
    }
    slot.used = false;
  }
  drop(hand_);
  ++evictions_;
}

void SeriesCache::drop(std::size_t at) {
  --active_[table_.slot(at).tenant];
  table_.erase_at(at);
}

std::size_t SeriesCache::expire(Timestamp now, std::size_t slots_max) {
  const std::uint32_t now_s = seconds_of(now);
  std::size_t gone = 0;
  for (std::size_t looked = 0; looked < slots_max && table_.size() > 0; ++looked) {
    sweep_ = sweep_ < table_.slots() ? sweep_ : 0;
    const Slot& slot = table_.slot(sweep_);
    if (!slot.empty() && !is_valid(slot, now_s)) {
      drop(sweep_);  // What comes to stand here is looked at next.
      ++gone;
    } else {
      ++sweep_;
    }
  }
  expired_ += gone;
  table_.shrink();
  return gone;
}

std::size_t SeriesCache::active(TenantId tenant) const {
  const auto at = active_.find(tenant);
  return at == active_.end() ? 0 : at->second;
}

}  // namespace sensus::ingest
