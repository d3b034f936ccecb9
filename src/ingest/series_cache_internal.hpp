#pragma once

#include "sensus/core/ids.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sensus::ingest {

/// Series key bytes -> id, so that a known series costs no round trip. Bounded; the clock algorithm evicts what was not used since
/// the hand last passed, which is close to LRU without a list to maintain on every hit. A miss is harmless: the writer asks the
/// database. **Threading**: reactor only.
class SeriesCache {
 public:
  explicit SeriesCache(std::size_t capacity) : capacity_(capacity == 0 ? 1 : capacity) {}

  /// The id, or 0 when unknown. Allocates nothing.
  [[nodiscard]] SeriesId find(TenantId tenant, std::string_view key);
  void insert(TenantId tenant, std::string_view key, SeriesId id);
  [[nodiscard]] std::size_t size() const { return map_.size(); }
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

 private:
  struct Key {
    TenantId tenant;
    std::string bytes;
  };
  struct KeyView {
    TenantId tenant;
    std::string_view bytes;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const KeyView& key) const {
      return std::hash<std::string_view>{}(key.bytes) ^ static_cast<std::size_t>(key.tenant) * 0x9E3779B97F4A7C15ULL;
    }
    std::size_t operator()(const Key& key) const { return (*this)(KeyView{key.tenant, key.bytes}); }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return a.tenant == b.tenant && std::string_view(a.bytes) == std::string_view(b.bytes);
    }
  };
  struct Entry {
    SeriesId id;
    bool used;
  };
  using Map = std::unordered_map<Key, Entry, Hash, Equal>;

  /// Frees one slot of the clock and returns its index.
  std::size_t evict();

  std::size_t capacity_;
  Map map_;
  std::vector<Map::value_type*> clock_;  ///< Nodes of the map, which do not move.
  std::size_t hand_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace sensus::ingest
