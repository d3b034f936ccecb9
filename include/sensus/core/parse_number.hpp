#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace sensus {

/// All of the text as a number, without sign `+`, blanks or locale; nullopt for anything else and
/// for what does not fit.
template <class T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace sensus
