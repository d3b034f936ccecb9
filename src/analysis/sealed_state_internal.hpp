#pragma once

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"

#include "detector_cache_internal.hpp"

#include <string>
#include <string_view>

namespace sensus::analysis {

/// What a saved state belongs to. A state is of use to nothing else.
struct StateLabel {
  SeriesKey key;
  std::string model_key;
  Timestamp last_time;
};

/// A detector's bytes with their label, a format version and a checksum over all of it.
[[nodiscard]] std::string seal_state(const StateLabel& label, std::string_view detector);

enum class SealFlaw { none, damaged, other_format, other_label };
struct OpenedState {
  SealFlaw flaw = SealFlaw::none;
  std::string_view detector;  ///< Into the sealed bytes; empty with a flaw.
};
/// Bytes may be anything: an answer for each.
[[nodiscard]] OpenedState open_state(const StateLabel& label, std::string_view sealed);

}  // namespace sensus::analysis
