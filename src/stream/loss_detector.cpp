#include "loss_detector_internal.hpp"

#include <algorithm>

namespace sensus::stream {

std::int64_t LossDetector::saw_nothing(const GroupState& group) {
  if (group.lag.value_or(0) <= 0) {
    suspect_.reset();
    return 0;
  }
  const bool same_place = suspect_ && suspect_->last_delivered == group.last_delivered &&
                          suspect_->entries_read == group.entries_read;
  // What came since the first look may still be there.
  const std::int64_t lost = same_place ? std::min(*suspect_->lag, *group.lag) : 0;
  suspect_ = group;
  if (lost > 0) {
    suspect_.reset();
  }
  return lost;
}

}  // namespace sensus::stream
