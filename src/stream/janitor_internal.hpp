#pragma once

#include "replies_internal.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::stream {

/// A group and its least pending entry.
struct GroupProgress {
  StreamId last_delivered;
  std::optional<StreamId> least_pending;
};

/// Entries before this id are done by every group; nullopt when nothing may be trimmed (no group:
/// its entries are unread). Pure.
[[nodiscard]] std::optional<StreamId> trim_point(const std::vector<GroupProgress>& groups);

/// Value of `maxmemory_policy` in an answer to INFO memory; empty when it is not there.
[[nodiscard]] std::string eviction_policy(std::string_view info);

}  // namespace sensus::stream
