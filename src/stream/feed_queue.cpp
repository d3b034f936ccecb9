#include "feed_queue_internal.hpp"

#include <utility>

namespace sensus::stream {

void FeedQueue::push(StreamId id, const Entry& entry) {
  if (overflowed_ || (seam_ && id <= *seam_)) {
    return;
  }
  seam_.reset();
  if (live_.size() >= limit_) {
    live_.clear();
    (replaying_ ? gap_ : overflowed_) = true;
    return;
  }
  live_.push_back(Live{id, entry});
}

void FeedQueue::stream_ends_at(StreamId end) {
  if (replaying_ && end < cursor_) {
    cursor_ = StreamId{};
    gap_ = true;  // Another page, from the beginning.
  }
}

void FeedQueue::replayed(std::optional<StreamId> last, bool at_end) {
  if (last && *last > cursor_) {
    cursor_ = *last;
  }
  if (!at_end) {
    return;
  }
  if (std::exchange(gap_, false)) {
    // The page may have been read before the overflow; one that is read from now on has all of it.
    return;
  }
  replaying_ = false;
  while (!live_.empty() && live_.front().id <= cursor_) {
    live_.pop_front();
  }
  seam_ = cursor_;
}

std::vector<Entry> FeedQueue::take() {
  std::vector<Entry> entries;
  if (replaying_) {
    return entries;
  }
  entries.reserve(live_.size());
  for (Live& one : live_) {
    entries.push_back(std::move(one.entry));
  }
  live_.clear();
  return entries;
}

}  // namespace sensus::stream
