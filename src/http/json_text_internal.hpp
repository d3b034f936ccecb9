#pragma once

#include <string>
#include <string_view>

namespace sensus::http {

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD, so the document is always valid.
void append_json_text(std::string_view text, std::string& out);

}  // namespace sensus::http
