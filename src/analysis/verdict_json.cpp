#include "verdict_json_internal.hpp"

#include "digits_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <algorithm>

namespace sensus::analysis {

std::string render_features(const ml::Verdict& verdict, std::size_t max) {
  std::string out = "{";
  for (std::size_t i = 0; i < std::min(verdict.features.size(), max); ++i) {
    const auto& [name, value] = verdict.features[i];
    out.append(i == 0 ? "" : ",").append(codec::quote_json(name)).append(":").append(json_digits(value));
  }
  return out.append("}");
}

std::string render_contributions(const ml::Verdict& verdict, std::size_t max) {
  std::string out = "[";
  for (std::size_t i = 0; i < std::min(verdict.contributions.size(), max); ++i) {
    const ml::Contribution& c = verdict.contributions[i];
    out.append(i == 0 ? "" : ",").append("{\"view\":").append(codec::quote_json(c.view));
    out.append(",\"feature\":").append(codec::quote_json(c.feature)).append(",\"value\":").append(json_digits(c.value));
    out.append(",\"evidence\":").append(json_digits(c.evidence)).append("}");
  }
  return out.append("]");
}

}  // namespace sensus::analysis
