#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sensus::ingest {

/// An open-addressing table of small entries: one array, linear probing, removal by moving the entries behind the hole back. An
/// entry says `key()`, `empty()` and `static hash_of(key)`; a default-constructed one is empty. Pointers to entries hold until the next
/// insertion or removal. **Limits**: grows by doubling when 7/8 full (a million entries of 32 bytes take some 25 ms to move) and
/// is halved by `shrink` below 1/8. **Threading**: none of its own.
template <class Entry>
class FlatTable {
 public:
  using Key = decltype(std::declval<const Entry&>().key());
  static constexpr std::size_t kSlotsMin = 64;

  [[nodiscard]] Entry* find(const Key& key) {
    if (slots_.empty()) {
      return nullptr;
    }
    for (std::size_t at = home(key);; at = next(at)) {
      if (slots_[at].empty()) {
        return nullptr;
      }
      if (slots_[at].key() == key) {
        return &slots_[at];
      }
    }
  }

  /// The entry of that key, or an empty one in its place, which the caller fills in (second = true).
  [[nodiscard]] std::pair<Entry*, bool> find_or_place(const Key& key) {
    if ((size_ + 1) * 8 > slots_.size() * 7) {
      rebuild(slots_.empty() ? kSlotsMin : slots_.size() * 2);
    }
    for (std::size_t at = home(key);; at = next(at)) {
      if (slots_[at].empty()) {
        ++size_;
        return {&slots_[at], true};
      }
      if (slots_[at].key() == key) {
        return {&slots_[at], false};
      }
    }
  }

  void erase(Entry* entry) { erase_at(static_cast<std::size_t>(entry - slots_.data())); }

  /// Another entry may come to stand at `hole`.
  void erase_at(std::size_t hole) {
    --size_;
    for (std::size_t at = next(hole); !slots_[at].empty(); at = next(at)) {
      // An entry may move to the hole unless its home lies behind it.
      if (((at - home(slots_[at].key())) & mask()) >= ((at - hole) & mask())) {
        slots_[hole] = slots_[at];
        hole = at;
      }
    }
    slots_[hole] = Entry{};
  }

  void shrink() {
    if (slots_.size() > kSlotsMin && size_ * 8 < slots_.size()) {
      rebuild(slots_.size() / 2);
    }
  }
  void clear() {
    std::vector<Entry>().swap(slots_);
    size_ = 0;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t slots() const { return slots_.size(); }
  [[nodiscard]] Entry& slot(std::size_t at) { return slots_[at]; }
  [[nodiscard]] std::size_t memory_bytes() const { return slots_.capacity() * sizeof(Entry); }

 private:
  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  [[nodiscard]] std::size_t home(const Key& key) const { return Entry::hash_of(key) & mask(); }
  [[nodiscard]] std::size_t next(std::size_t at) const { return (at + 1) & mask(); }

  void rebuild(std::size_t slots) {
    std::vector<Entry> old(std::bit_ceil(slots));
    old.swap(slots_);
    for (const Entry& entry : old) {
      if (!entry.empty()) {
        std::size_t at = home(entry.key());
        while (!slots_[at].empty()) {
          at = next(at);
        }
        slots_[at] = entry;
      }
    }
  }

  std::vector<Entry> slots_;
  std::size_t size_ = 0;
};

}  // namespace sensus::ingest
