#pragma once

#include "framing_guard_internal.hpp"

#include "sensus/http/message.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace sensus::http {

struct ParserLimits {
  std::size_t header_bytes = 16 * 1024;
  std::size_t header_fields = 100;
};

/// Beast's HTTP/1 parser behind a plain face: bytes in, a Request out, no stream and no field map. Header fields go straight into
/// the Request; trailer fields are dropped, so that a trailer can never pose as a header. One object serves a connection, `reset` between
/// requests. **Limits**: head bytes and fields as given, body as set, a chunk head or trailer of 8 KiB.
class RequestParser {
 public:
  enum class State {
    need_more,    ///< All that is usable was consumed; read on.
    head_done,    ///< The head is in the Request; nothing of the body was consumed.
    done,         ///< Head and body are complete.
    malformed,    ///< 400.
    head_too_large,  ///< 431.
    body_too_large,  ///< 413.
  };
  struct Fed {
    State state = State::need_more;
    std::size_t consumed = 0;
    std::string_view fault = {};  ///< For malformed: what was wrong. A literal.
  };

  explicit RequestParser(ParserLimits limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  /// Begins a new request; `request` is cleared and filled, `target` gets the raw request-target. Both outlive the parsing.
  void reset(Request& request, std::string& target);
  /// Until head_done. `bytes` begins where the last call's consumed bytes ended.
  [[nodiscard]] Fed feed_head(std::string_view bytes);
  /// After head_done and only when there is a body.
  void set_body_limit(std::size_t bytes);
  [[nodiscard]] Fed feed_body(std::string_view bytes);

  [[nodiscard]] const HeadFacts& facts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sensus::http
