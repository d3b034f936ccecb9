#pragma once

#include "stream_id_internal.hpp"

#include "sensus/stream/stream.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

namespace sensus::stream {

/// What one reader of the live feed has yet to read, and the seam between what it replays from the
/// stream and what is live. Pure. While it replays, live entries collect here too; at the end of
/// the replay those it has not replayed follow. An overflow while replaying costs nothing but
/// another page; an overflow of a live reader closes it.
class FeedQueue {
 public:
  FeedQueue(std::size_t limit, std::optional<StreamId> replay_after)
      : limit_(limit),
        replaying_(replay_after.has_value()),
        cursor_(replay_after.value_or(StreamId{})) {}

  /// A live entry.
  void push(StreamId id, const Entry& entry);
  [[nodiscard]] bool replaying() const { return replaying_; }
  /// Where the next page of the replay starts (exclusive).
  [[nodiscard]] StreamId cursor() const { return cursor_; }
  /// Nothing came after the cursor, and the stream ends there. A cursor ahead of it is of a stream
  /// that Redis lost: all of this one is new to the reader.
  void stream_ends_at(StreamId end);
  /// A page was read up to `last`; `at_end`: it reached the end of the stream.
  void replayed(std::optional<StreamId> last, bool at_end);
  /// What is live; empty while replaying.
  [[nodiscard]] std::vector<Entry> take();
  /// Too slow: entries were lost, it must come back with the last id it saw.
  [[nodiscard]] bool overflowed() const { return overflowed_; }

 private:
  struct Live {
    StreamId id;
    Entry entry;
  };
  std::size_t limit_;
  bool replaying_;
  bool gap_ = false;  ///< Overflowed while replaying: what was dropped is still in the stream.
  bool overflowed_ = false;
  StreamId cursor_;
  std::optional<StreamId> seam_;  ///< Live entries up to here were replayed.
  std::deque<Live> live_;
};

}  // namespace sensus::stream
