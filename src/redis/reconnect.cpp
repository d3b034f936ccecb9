#include "reconnect_internal.hpp"

namespace sensus::redis {

std::chrono::milliseconds ReconnectPolicy::lost(TimePoint now) {
  if (since_ && now - *since_ >= kStable) {
    backoff_.reset();
  }
  since_.reset();
  return backoff_.next();
}

}  // namespace sensus::redis
