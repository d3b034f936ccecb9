#pragma once

#include "sensus/analysis/evidence.hpp"

#include <string>
#include <vector>

namespace sensus::analysis {

/// The report in a few sentences. `suspects` and the other alerts are ranked, best first.
[[nodiscard]] std::string summarise(const EvidenceInput& input, const std::vector<Suspect>& suspects);

}  // namespace sensus::analysis
