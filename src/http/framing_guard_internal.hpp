#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sensus::http {

/// What the parser saw of a request's head, counted field by field.
struct HeadFacts {
  bool http11 = false;
  bool keep_alive = false;
  bool chunked = false;                        ///< The parser will read chunks.
  std::optional<std::uint64_t> content_length;
  int host_fields = 0;
  int content_length_fields = 0;
  int transfer_encoding_fields = 0;
  bool content_length_list = false;            ///< "5, 5"
  bool transfer_encoding_is_chunked = false;   ///< The one field's value is exactly "chunked".
  bool host_valid = false;

  // Whether a look-up in the header list is worth it.
  bool has_accept = false;
  bool has_accept_encoding = false;
  bool has_content_encoding = false;
  bool has_content_type = false;
  bool has_expect = false;
  bool has_request_id = false;
  bool has_traceparent = false;

  [[nodiscard]] bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

/// A reason to answer 400 and close; both texts are literals.
struct FramingFault {
  std::string_view reason;  ///< Metric label.
  std::string_view detail;
};

/// The rules that keep a request from meaning one thing here and another at a proxy (RFC 9112 2.2, 5.2, 6.1, 6.3; RFC 9110 7.2). The
/// parser lets all of these pass. `raw_head` is the head as received, with its last empty line.
[[nodiscard]] std::optional<FramingFault> check_framing(const HeadFacts& facts, std::string_view raw_head);

/// host[:port], RFC 3986 characters, no user information.
[[nodiscard]] bool is_host(std::string_view value);

}  // namespace sensus::http
