#pragma once

#include "sensus/core/errc.hpp"

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <string>
#include <utility>

namespace sensus {

/// A failure of the outside world. `message` is for an operator or API user: what was wrong, what is allowed,
/// what to do; no secrets, no SQL. `field` names the offending input, e.g. "alerts[3].labels.alertname".
struct Error {
  Errc code = Errc::internal;
  std::string message;
  std::string field = {};
};

[[nodiscard]] inline Error make_error(Errc code, std::string message, std::string field = {}) {
  return Error{code, std::move(message), std::move(field)};
}

/// Called by `Result::value()` on an error; throws std::runtime_error. Code that can handle the error asks first.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T = void>
using Result = boost::system::result<T, Error>;

}  // namespace sensus

#define SENSUS_CONCAT_INNER(a, b) a##b
#define SENSUS_CONCAT(a, b) SENSUS_CONCAT_INNER(a, b)
#define SENSUS_TRY_INNER(tmp, decl, expr) \
  auto tmp = (expr);                      \
  if (!tmp) {                             \
    return std::move(tmp).error();        \
  }                                       \
  decl = std::move(*tmp)
/// `SENSUS_TRY(auto x, f());` returns f's error from a plain function, else binds its value. Not for coroutines.
#define SENSUS_TRY(decl, expr) SENSUS_TRY_INNER(SENSUS_CONCAT(try_result_, __LINE__), decl, expr)
/// The same for a Result<void>.
#define SENSUS_TRY_VOID(expr)                                                   \
  if (auto SENSUS_CONCAT(try_result_, __LINE__) = (expr);                       \
      !SENSUS_CONCAT(try_result_, __LINE__)) {                                  \
    return std::move(SENSUS_CONCAT(try_result_, __LINE__)).error();             \
  }
