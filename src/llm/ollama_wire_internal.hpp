#pragma once

#include "sensus/llm/ollama.hpp"

#include <string>

namespace sensus::llm {

/// Body of POST /api/generate. `attempt` counts from 0: later ones are colder, with another seed. Pure.
[[nodiscard]] std::string render_generate(const Options& options, const Prompt& prompt, std::int64_t attempt);

/// Fields of Error that tell kinds of `corrupt` apart.
inline constexpr const char* kCutShort = "done";            ///< Not done, or done for want of tokens.
inline constexpr const char* kNotOllama = "content_type";   ///< Whatever answered is not Ollama.

/// Every check of one answer. Pure.
[[nodiscard]] Result<Answer> parse_generate(const Options& options, const Prompt& prompt, const webclient::OutResponse& response);

}  // namespace sensus::llm
