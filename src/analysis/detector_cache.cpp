#include "detector_cache_internal.hpp"

#include <algorithm>

namespace sensus::analysis {

DetectorCache::Place DetectorCache::admit(SeriesKey key, TimePoint now) {
  if (const auto found = index_.find(key); found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    found->second->used_at = now;
    return found->second->detector ? Place::warm : Place::empty;
  }
  if (entries_.size() >= limit_) {
    if (entries_.empty() || now - entries_.back().used_at < kIdle) {
      return Place::refused;
    }
    index_.erase(entries_.back().key);
    entries_.pop_back();
    ++evictions_;
  }
  entries_.push_front({key, now, nullptr, Timestamp::min()});
  index_.emplace(key, entries_.begin());
  return Place::empty;
}

std::unique_ptr<SeriesScorer> DetectorCache::lend(SeriesKey key) {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : std::move(found->second->detector);
}

void DetectorCache::give_back(SeriesKey key, std::unique_ptr<SeriesScorer> detector) {
  if (const auto found = index_.find(key); found != index_.end()) {
    found->second->detector = std::move(detector);
  }
}

const SeriesScorer* DetectorCache::peek(SeriesKey key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : found->second->detector.get();
}

SeriesScorer* DetectorCache::get(SeriesKey key) {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : found->second->detector.get();
}

void DetectorCache::mark_unsaved(SeriesKey key) {
  if (const auto found = index_.find(key); found != index_.end()) {
    found->second->saved_time = Timestamp::min();
  }
}

Timestamp DetectorCache::saved_time(SeriesKey key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? Timestamp::min() : found->second->saved_time;
}

void DetectorCache::mark_saved(SeriesKey key, Timestamp time) {
  if (const auto found = index_.find(key); found != index_.end()) {
    found->second->saved_time = std::max(found->second->saved_time, time);
  }
}

void DetectorCache::clear() {
  index_.clear();
  entries_.clear();
}

std::vector<SeriesKey> DetectorCache::keys() const {
  std::vector<SeriesKey> keys;
  keys.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    keys.push_back(entry.key);
  }
  return keys;
}

}  // namespace sensus::analysis
