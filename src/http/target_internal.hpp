#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::http {

using QueryPairs = std::vector<std::pair<std::string, std::string>>;

/// Decodes and normalises a request-target (origin-form or absolute-form, RFC 9112 3.2) into `path` and `query`, whose old contents
/// are replaced. Empty and "." segments vanish. Returns an empty text, or what is wrong with it: "..", an encoded slash, backslash
/// or control character, a broken escape, bytes that are not UTF-8, a fragment, more than 256 query parameters.
[[nodiscard]] std::string_view parse_target(std::string_view target, std::string& path, QueryPairs& query);

}  // namespace sensus::http
