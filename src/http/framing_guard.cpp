#include "framing_guard_internal.hpp"

#include <algorithm>
#include <cstddef>

namespace sensus::http {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_alnum(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_reg_name_char(char c) {
  return is_alnum(c) || std::string_view("-._~!$&'()*+,;=%").find(c) != std::string_view::npos;
}

bool is_ipv6_char(char c) { return is_alnum(c) || c == ':' || c == '.'; }

bool is_port(std::string_view text) { return text.size() <= 5 && std::all_of(text.begin(), text.end(), is_digit); }

/// A line that continues the one before (obs-fold): proxies disagree on what it means.
bool has_folded_line(std::string_view raw_head) {
  for (std::size_t at = raw_head.find('\n'); at != std::string_view::npos; at = raw_head.find('\n', at + 1)) {
    if (at + 1 < raw_head.size() && (raw_head[at + 1] == ' ' || raw_head[at + 1] == '\t')) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool is_host(std::string_view value) {
  std::string_view port;
  if (value.starts_with('[')) {
    const auto close = value.find(']');
    if (close == std::string_view::npos || close < 3) {
      return false;
    }
    const std::string_view inside = value.substr(1, close - 1);
    port = value.substr(close + 1);
    if (!std::all_of(inside.begin(), inside.end(), is_ipv6_char)) {
      return false;
    }
  } else {
    const std::size_t colon = std::min(value.find(':'), value.size());
    const std::string_view name = value.substr(0, colon);
    port = value.substr(colon);
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_reg_name_char)) {
      return false;
    }
  }
  return port.empty() || (port.front() == ':' && is_port(port.substr(1)));
}

std::optional<FramingFault> check_framing(const HeadFacts& facts, std::string_view raw_head) {
  constexpr std::string_view kFraming = "framing";
  if (facts.transfer_encoding_fields > 0) {
    if (!facts.http11) {
      return FramingFault{kFraming, "Transfer-Encoding is not part of HTTP/1.0"};
    }
    if (facts.content_length_fields > 0) {
      return FramingFault{kFraming, "Transfer-Encoding and Content-Length exclude each other"};
    }
    if (facts.transfer_encoding_fields > 1 || !facts.transfer_encoding_is_chunked || !facts.chunked) {
      return FramingFault{kFraming, "the only Transfer-Encoding spoken here is 'chunked'"};
    }
  }
  if (facts.content_length_fields > 1 || facts.content_length_list) {
    return FramingFault{kFraming, "Content-Length must be given once"};
  }
  if (has_folded_line(raw_head)) {
    return FramingFault{kFraming, "a header field must not be folded over several lines"};
  }
  if (facts.host_fields > 1 || (facts.http11 && facts.host_fields == 0)) {
    return FramingFault{"host", "exactly one Host header field is required"};
  }
  if (facts.host_fields == 1 && !facts.host_valid) {
    return FramingFault{"host", "the Host header field is not host[:port]"};
  }
  return std::nullopt;
}

}  // namespace sensus::http
