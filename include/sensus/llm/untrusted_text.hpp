#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sensus::llm {

/// Text from outside made safe to show to a model or a person: invalid UTF-8 becomes U+FFFD; control, zero-width, bidi, tag and
/// variation-selector characters go; chat-template markers (`<|...|>`, `[INST]`, `<s>`, `system:` at a line's start, ...) lose their
/// form; at most `bytes_max` bytes, cut at a character with "..." at the end. Pure.
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t bytes_max);

/// Replaces what looks like a secret or an e-mail address by "[redacted]": bearer and basic credentials, `password=...` and its kin,
/// user:password in URLs, well-known key forms, JWTs, private keys. Errs towards too much. Linear time, pure.
[[nodiscard]] std::string redact_secrets(std::string_view text);

/// True for names such as `password`, `api_key`, `db_token`: their values are never sent nor stored.
[[nodiscard]] bool is_secret_name(std::string_view name);

/// clean_text, then redact_secrets.
[[nodiscard]] std::string guard_text(std::string_view text, std::size_t bytes_max);

}  // namespace sensus::llm
