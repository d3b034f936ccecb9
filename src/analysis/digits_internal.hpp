#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>

namespace sensus::analysis {

/// A JSON number that reads back as this one; null for what JSON has no number for.
[[nodiscard]] inline std::string json_digits(double value) {
  if (!std::isfinite(value)) {
    return "null";
  }
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

/// Six digits, for people.
[[nodiscard]] inline std::string short_digits(double value) {
  std::array<char, 32> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.6g", value);
  return {text.data(), static_cast<std::size_t>(std::max(length, 0))};
}

}  // namespace sensus::analysis
