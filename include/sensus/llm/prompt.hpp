#pragma once

#include "sensus/model/alert.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace sensus::llm {

/// What is asked: the seed's SRE role, the alert, the evidence as data, the JSON schema, instructions first and last (an over-long prompt
/// loses its front). Labels and annotations are untrusted: control, zero-width and bidi characters are stripped, text is clipped, and it is
/// quoted as JSON. Pure; golden-tested.
struct Prompt {
  std::string system;
  std::string user;
  std::string format_schema;  ///< JSON Schema of the answer: root_cause, mitigation, analysis, confidence.
  std::size_t estimated_tokens = 0;
};

/// Evidence is cut (weakest last lines first) until the estimate fits `token_budget`.
[[nodiscard]] Prompt build_prompt(const model::Episode& alert, const std::string& evidence_json, std::size_t token_budget);

/// The model's answer, checked against the schema; fields clipped to 8 KiB.
struct Explanation {
  std::string root_cause;
  std::string mitigation;
  std::string analysis;
  double confidence = 0;  ///< As the model claims, 0..1.
};
[[nodiscard]] Result<Explanation> parse_explanation(std::string_view json);

}  // namespace sensus::llm
