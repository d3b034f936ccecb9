#include "detector_cache_internal.hpp"

#include <algorithm>
#include <iterator>

namespace sensus::analysis {
namespace {

std::size_t cost_of(ml::Profile profile) { return ml::memory_of(profile) + sizeof(SeriesScorer); }

}  // namespace

bool DetectorCache::fits(ml::Profile profile) const {
  return size() < limits_.series && bytes_ + cost_of(profile) <= limits_.bytes;
}

DetectorCache::Place DetectorCache::admit(SeriesKey key, TimePoint now) {
  if (const auto found = index_.find(key); found != index_.end()) {
    std::list<Entry>& list = list_of(found->second->profile);
    list.splice(list.begin(), list, found->second);
    found->second->used_at = now;
    return found->second->scorer ? Place::warm : Place::empty;
  }
  while (!fits(limits_.profile) && evict_idle(now)) {
  }
  if (size() >= limits_.series) {
    return Place::no_series_left;
  }
  if (fits(limits_.profile)) {
    place(key, now, limits_.profile);
    return Place::empty;
  }
  while (!fits(ml::Profile::compact) && shrink_one()) {
  }
  if (!fits(ml::Profile::compact)) {
    return Place::no_memory_left;
  }
  place(key, now, ml::Profile::compact);
  return Place::empty;
}

bool DetectorCache::evict_idle(TimePoint now) {
  const bool from_large = compact_.empty() || (!large_.empty() && large_.back().used_at <= compact_.back().used_at);
  std::list<Entry>& list = from_large ? large_ : compact_;
  if (list.empty() || now - list.back().used_at < kIdle) {
    return false;
  }
  Entry& last = list.back();
  bytes_ -= cost_of(last.profile);
  if (last.scorer) {
    evicted_.push_back({last.key, last.profile, last.saved_time, std::move(last.scorer)});
  }
  index_.erase(last.key);
  list.pop_back();
  ++evictions_;
  return true;
}

bool DetectorCache::shrink_one() {
  if (large_.empty()) {
    return false;
  }
  Entry& last = large_.back();
  bytes_ -= cost_of(last.profile) - cost_of(ml::Profile::compact);
  last.profile = ml::Profile::compact;
  last.scorer.reset();
  last.saved_time = Timestamp::min();
  compact_.splice(compact_.begin(), large_, std::prev(large_.end()));
  ++shrunk_;
  return true;
}

void DetectorCache::place(SeriesKey key, TimePoint now, ml::Profile profile) {
  std::list<Entry>& list = list_of(profile);
  list.push_front({key, now, profile, nullptr, Timestamp::min()});
  index_.emplace(key, list.begin());
  bytes_ += cost_of(profile);
}

const DetectorCache::Entry* DetectorCache::find(SeriesKey key) const {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &*found->second;
}

DetectorCache::Entry* DetectorCache::find(SeriesKey key) {
  const auto found = index_.find(key);
  return found == index_.end() ? nullptr : &*found->second;
}

ml::Profile DetectorCache::profile_of(SeriesKey key) const {
  const Entry* entry = find(key);
  return entry == nullptr ? limits_.profile : entry->profile;
}

std::unique_ptr<SeriesScorer> DetectorCache::lend(SeriesKey key) {
  Entry* entry = find(key);
  return entry == nullptr ? nullptr : std::move(entry->scorer);
}

void DetectorCache::give_back(SeriesKey key, ml::Profile profile, std::unique_ptr<SeriesScorer> scorer) {
  if (Entry* entry = find(key); entry != nullptr && entry->profile == profile) {
    entry->scorer = std::move(scorer);
  }
}

const SeriesScorer* DetectorCache::peek(SeriesKey key) const {
  const Entry* entry = find(key);
  return entry == nullptr ? nullptr : entry->scorer.get();
}

SeriesScorer* DetectorCache::get(SeriesKey key) {
  Entry* entry = find(key);
  return entry == nullptr ? nullptr : entry->scorer.get();
}

DetectorCache::TimePoint DetectorCache::used_at(SeriesKey key) const {
  const Entry* entry = find(key);
  return entry == nullptr ? TimePoint::min() : entry->used_at;
}

Timestamp DetectorCache::saved_time(SeriesKey key) const {
  const Entry* entry = find(key);
  return entry == nullptr ? Timestamp::min() : entry->saved_time;
}

void DetectorCache::mark_saved(SeriesKey key, Timestamp time) {
  if (Entry* entry = find(key)) {
    entry->saved_time = std::max(entry->saved_time, time);
  }
}

void DetectorCache::mark_unsaved(SeriesKey key) {
  if (Entry* entry = find(key)) {
    entry->saved_time = Timestamp::min();
  }
}

void DetectorCache::clear(ml::Profile profile) {
  index_.clear();
  large_.clear();
  compact_.clear();
  evicted_.clear();
  bytes_ = 0;
  limits_.profile = profile;
}

std::size_t DetectorCache::size(ml::Profile profile) const {
  if (profile == ml::Profile::compact) {
    return compact_.size();
  }
  return profile == limits_.profile ? large_.size() : 0;
}

std::vector<SeriesKey> DetectorCache::keys() const {
  std::vector<SeriesKey> keys;
  keys.reserve(size());
  for (const std::list<Entry>* list : {&large_, &compact_}) {
    for (const Entry& entry : *list) {
      keys.push_back(entry.key);
    }
  }
  return keys;
}

}  // namespace sensus::analysis
