#pragma once

#include <string_view>

namespace sensus {

/// The closed set of outcomes a caller can act on. One table (`traits_of`) maps each to whether a retry
/// makes sense, the HTTP status, and the metric label; nothing else in the code base does.
enum class Errc {
  invalid_input,    ///< The caller's data is wrong; repeating it will not help.
  unauthenticated,  ///< Who is it?
  forbidden,        ///< Known, but not allowed.
  not_found,        ///< No such thing.
  already_exists,   ///< Creating it again.
  conflict,         ///< Somebody else changed it first.
  too_large,        ///< Over a stated limit.
  unsupported,      ///< Media type, encoding or version that is not spoken here.
  overloaded,       ///< A bounded queue is full; try later.
  timeout,          ///< The deadline passed.
  cancelled,        ///< Stopped on purpose (shutdown, client gone).
  unavailable,      ///< A dependency is away.
  in_doubt,         ///< COMMIT was sent and its answer never came; a retry is safe, an acknowledgement is not.
  corrupt,          ///< Stored or received data contradicts itself.
  internal,         ///< A bug.
};

struct ErrcTraits {
  std::string_view name;  ///< Stable, used as metric label and problem `code`.
  std::string_view title; ///< Problem title for people.
  int http_status;
  bool retryable;
};

[[nodiscard]] const ErrcTraits& traits_of(Errc code) noexcept;
[[nodiscard]] inline std::string_view to_string(Errc code) noexcept { return traits_of(code).name; }

}  // namespace sensus
