#pragma once

#include "sensus/http/message.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sensus::http {

enum class BodyFraming { none, length, chunked, until_close };

struct HeadOptions {
  std::string_view request_id;
  std::string_view date;           ///< IMF-fixdate.
  bool close = false;              ///< Connection: close.
  bool keep_alive_http10 = false;  ///< Connection: keep-alive, which HTTP/1.0 must be told.
  BodyFraming framing = BodyFraming::length;
  std::size_t body_bytes = 0;
};

/// Appends status line and fields, with the last empty line. A field whose name or value could break out of its line is left out.
void append_head(const Response& response, const HeadOptions& options, std::string& out);

/// True for statuses that never have a body (1xx, 204, 304).
[[nodiscard]] bool is_bodiless(int status);

/// "Fri, 20 Nov 2026 09:33:00 GMT".
[[nodiscard]] std::string render_http_date(std::int64_t unix_seconds);

}  // namespace sensus::http
