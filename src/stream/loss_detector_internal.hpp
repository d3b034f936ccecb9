#pragma once

#include "replies_internal.hpp"

#include <cstdint>
#include <optional>

namespace sensus::stream {

/// Finds entries that were trimmed before anybody read them: Redis counts them as lag for ever,
/// while reads come back empty. Pure. One look is no proof, for an entry may have come between the
/// read and the look; but then the next read returns it.
class LossDetector {
 public:
  /// A read returned entries.
  void saw_entries() { suspect_.reset(); }
  /// A read came back empty, and then the group looked like this. Returns how many entries are
  /// lost: 0 while in doubt.
  [[nodiscard]] std::int64_t saw_nothing(const GroupState& group);

 private:
  std::optional<GroupState> suspect_;
};

}  // namespace sensus::stream
