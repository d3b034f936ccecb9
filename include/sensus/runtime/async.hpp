#pragma once

#include "sensus/core/deadline.hpp"
#include "sensus/core/result.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace sensus::runtime {

using Executor = boost::asio::any_io_executor;
/// A coroutine that yields a Result: the shape of everything that waits and can fail.
template <class T = void>
using Async = boost::asio::awaitable<Result<T>>;
/// A coroutine that yields nothing, e.g. a worker's `run`.
using Task = boost::asio::awaitable<void>;

/// Waits; `cancelled` when the coroutine was cancelled meanwhile.
[[nodiscard]] Async<> sleep(Duration d);

}  // namespace sensus::runtime
