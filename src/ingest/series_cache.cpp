#include "series_cache_internal.hpp"

namespace sensus::ingest {

SeriesId SeriesCache::find(TenantId tenant, std::string_view key) {
  const auto at = map_.find(KeyView{tenant, key});
  if (at == map_.end()) {
    return 0;
  }
  at->second.used = true;
  return at->second.id;
}

void SeriesCache::insert(TenantId tenant, std::string_view key, SeriesId id) {
  if (const auto at = map_.find(KeyView{tenant, key}); at != map_.end()) {
    at->second.id = id;
    return;
  }
  std::size_t slot = clock_.size();
  if (map_.size() >= capacity_) {
    slot = evict();
  } else {
    clock_.push_back(nullptr);
  }
  clock_[slot] = &*map_.emplace(Key{tenant, std::string(key)}, Entry{id, false}).first;
}

std::size_t SeriesCache::evict() {
  // Ends within two rounds: the first clears every mark.
  while (clock_[hand_]->second.used) {
    clock_[hand_]->second.used = false;
    hand_ = (hand_ + 1) % clock_.size();
  }
  const std::size_t slot = hand_;
  const Key& victim = clock_[slot]->first;
  map_.erase(map_.find(KeyView{victim.tenant, victim.bytes}));
  ++evictions_;
  hand_ = (hand_ + 1) % clock_.size();
  return slot;
}

}  // namespace sensus::ingest
