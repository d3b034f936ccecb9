#pragma once

#include "sensus/core/result.hpp"
#include "sensus/redis/client.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sensus::redis {

/// Appends one command in RESP: lengths are explicit, so arguments may hold any bytes.
void append_command(std::string& out, const Command& args);

/// The first word of an error reply: "NOGROUP", "OOM", "ERR".
[[nodiscard]] std::string_view error_code_of(std::string_view error_text);

/// Bytes to replies, on hiredis' redisReader with trees of our own. **Errors**: `corrupt` for bytes
/// that are no RESP2, `too_large` past a limit; the reader is useless afterwards, so the connection
/// must go. Sizes that a header merely claims allocate nothing.
class ReplyReader {
 public:
  struct Limits {
    std::size_t bytes = 64U << 20U;  ///< Of one reply on the wire.
    std::size_t elements =
        1'000'000;  ///< Of one reply, all depths: small elements cost more here than on the wire.
  };
  ReplyReader();
  explicit ReplyReader(Limits limits);
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  [[nodiscard]] Result<> feed(std::string_view bytes);
  /// nullopt: more bytes are needed.
  [[nodiscard]] Result<std::optional<Reply>> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sensus::redis
