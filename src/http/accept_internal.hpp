#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sensus::http {

/// Case-insensitive comparison of ASCII text.
[[nodiscard]] bool iequals(std::string_view a, std::string_view b);
/// Without spaces and tabs around it.
[[nodiscard]] std::string_view trim(std::string_view text);
/// "Application/JSON; charset=utf-8" -> "Application/JSON".
[[nodiscard]] std::string_view media_type_of(std::string_view content_type);

/// True when an Accept value (RFC 9110 12.5.1; several fields joined by commas) allows one of `produces`. The most specific range
/// decides; q=0 forbids. Ranges that do not parse are ignored; an empty value allows everything.
[[nodiscard]] bool accept_allows(std::string_view accept, const std::vector<std::string>& produces);

/// True when an Accept-Encoding value lets us send gzip: named, or by "*", with q > 0.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

}  // namespace sensus::http
