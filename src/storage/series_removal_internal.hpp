#pragma once

#include "storage/upkeep_session_internal.hpp"

#include <cstdint>

namespace sensus::storage {

/// Removes series of which no sample is kept, going round all series a part at a time.
class SeriesRemoval {
 public:
  SeriesRemoval(UpkeepSession& session, telemetry::Metrics& metrics);

  /// Goes on where the last call ended and looks at about `looks` series, or up to the last one. Returns how many it removed.
  [[nodiscard]] runtime::Async<std::int64_t> run(std::int64_t looks);

 private:
  UpkeepSession& session_;
  telemetry::Counter removed_;
  std::int64_t tenant_ = 0;  ///< The last that was looked at.
  std::int64_t id_ = 0;
};

}  // namespace sensus::storage
