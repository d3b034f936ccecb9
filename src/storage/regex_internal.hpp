#pragma once

#include "sensus/core/result.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::storage {

/// A regular expression of a matcher, for PostgreSQL. It matches whole values.
struct SqlRegex {
  std::string pattern;  ///< For the operator ~, anchored. Empty when `literals` says it all.
  /// The values it matches, when it is nothing but alternatives without special characters
  /// ("a|b|c").
  std::optional<std::vector<std::string>> literals;
};

/// Rewrites RE2's syntax (as Prometheus takes it) into PostgreSQL's. Both search by automata, so
/// what could make PostgreSQL search exponentially (back references) or slowly (look-around) is
/// refused, as RE2 does; beyond that, `kRegexBytesMax` and repeat counts of at most
/// `kRegexRepeatMax` bound an expression, and the statement that uses it has a short time limit.
/// **Errors**: invalid_input that names the construct. Pure.
[[nodiscard]] Result<SqlRegex> rewrite_regex(std::string_view re2);

inline constexpr std::size_t kRegexBytesMax = 4096;
inline constexpr int kRegexRepeatMax = 255;

}  // namespace sensus::storage
