#pragma once

#include <cstddef>
#include <string_view>

namespace sensus::llm {

/// Stands in the system prompt and nowhere else: an answer that holds it repeats its instructions, and is thrown away.
inline constexpr std::string_view kCanary = "sensus-mark-5d1c9e";

/// On the high side: English takes about four bytes a token, JSON full of digits about three.
[[nodiscard]] std::size_t estimate_tokens(std::string_view text);

}  // namespace sensus::llm
