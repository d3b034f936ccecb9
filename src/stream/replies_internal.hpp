#pragma once

#include "stream_id_internal.hpp"

#include "sensus/core/result.hpp"
#include "sensus/redis/client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sensus::stream {

/// What Redis' stream commands answer, read into structs. Pure. **Errors**: `not_found` when the
/// group or stream is gone (NOGROUP, UNBLOCKED), `unavailable` for any other error reply, `corrupt`
/// for a reply of another shape.

/// An entry before its fields are judged.
struct RawEntry {
  std::string id;
  redis::Reply fields;  ///< Nil: trimmed while it was pending.
};

/// An error reply as an Error.
[[nodiscard]] Result<> check_reply(const redis::Reply& reply);

/// XREADGROUP or XREAD of one stream. Nil (nothing came) is empty.
[[nodiscard]] Result<std::vector<RawEntry>> parse_read(redis::Reply reply);
/// XRANGE, and the second part of XAUTOCLAIM.
[[nodiscard]] Result<std::vector<RawEntry>> parse_entries(redis::Reply reply);

struct Claimed {
  std::string next;  ///< "0-0" at the end.
  std::vector<RawEntry> entries;
  std::vector<std::string> deleted;  ///< Were pending, are trimmed; Redis has forgotten them.
};
[[nodiscard]] Result<Claimed> parse_autoclaim(redis::Reply reply);

struct GroupState {
  std::string name;
  std::int64_t pending = 0;
  std::string last_delivered;
  std::optional<std::int64_t> entries_read;
  std::optional<std::int64_t> lag;  ///< nullopt: Redis cannot tell.
  friend bool operator==(const GroupState&, const GroupState&) = default;
};
/// XINFO GROUPS. A missing stream has none.
[[nodiscard]] Result<std::vector<GroupState>> parse_groups(const redis::Reply& reply);

/// XPENDING, short form: the least pending id, if any.
[[nodiscard]] Result<std::optional<StreamId>> parse_least_pending(const redis::Reply& reply);
/// XPENDING of one id: its delivery count; 0 when it is not pending.
[[nodiscard]] Result<std::int64_t> parse_deliveries(const redis::Reply& reply);
/// XINFO STREAM: last-generated-id; nullopt for a missing stream.
[[nodiscard]] Result<std::optional<StreamId>> parse_last_generated(const redis::Reply& reply);
/// XINFO STREAM: entries that were added and are no more; 0 when it does not say.
[[nodiscard]] std::int64_t parse_trimmed(const redis::Reply& reply);

/// Consumers of XINFO CONSUMERS that have nothing pending and were idle for at least `idle_ms`.
[[nodiscard]] Result<std::vector<std::string>> parse_idle_consumers(const redis::Reply& reply,
                                                                    std::int64_t idle_ms);

}  // namespace sensus::stream
