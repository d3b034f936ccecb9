#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sensus::http {

/// 1 to 64 characters of [A-Za-z0-9._-]: what a client may choose as X-Request-Id and see again in logs and answers.
[[nodiscard]] bool is_request_id(std::string_view text);

/// The trace id of a valid W3C traceparent (level 1: version-traceid-parentid-flags, lower-case hex, ids not all zero; version ff is
/// forbidden; a higher version may be longer), else "".
[[nodiscard]] std::string_view trace_id_of(std::string_view traceparent);

/// Identifiers for requests and traces that came without one: unique, not secret. **Threading**: one thread.
class IdGenerator {
 public:
  explicit IdGenerator(std::uint64_t seed);
  /// Replaces `out` by 16 hex digits.
  void make_request_id(std::string& out);
  /// Replaces `out` by 32 hex digits, not all zero.
  void make_trace_id(std::string& out);

 private:
  std::uint64_t next();
  std::uint64_t state_;
};

}  // namespace sensus::http
