#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sensus::telemetry {

/// Longest text that one field or message contributes to a line, in bytes; the rest is replaced by "...".
inline constexpr std::size_t kTextBytesMax = 4096;

/// Appends `text` between double quotes, escaped so that a line stays one line and shows what it holds: quotes, backslashes, C0 and C1
/// controls, DEL, line separators, zero-width, bidi and tag characters become \uXXXX (surrogate pairs beyond the BMP), invalid UTF-8
/// becomes U+FFFD. The result is a JSON string.
void append_quoted(std::string& out, std::string_view text);

/// As append_quoted, but without quotes; for messages of the text form.
void append_escaped(std::string& out, std::string_view text);

/// True when the text can stand unquoted as `key=text`.
[[nodiscard]] bool is_plain_word(std::string_view text);

/// The text with every invalid UTF-8 byte replaced by U+FFFD.
[[nodiscard]] std::string make_utf8(std::string_view text);

}  // namespace sensus::telemetry
