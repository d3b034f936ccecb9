#pragma once

#include "link_internal.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>

namespace sensus::redis {

/// One attempt to connect. Shared with whoever may have to cut it short.
struct Dial {
  Dial(const runtime::Executor& executor, Options o)
      : options(std::move(o)), resolver(executor), resolved(executor), socket(executor) {}
  void cancel();
  Options options;
  boost::asio::ip::tcp::resolver resolver;
  boost::asio::steady_timer resolved;  ///< Ends when the name is resolved, or nobody waits for that any more.
  Socket socket;
  bool cancelled = false;
};

/// Resolves and connects `dial->socket`. `unavailable` with the reason; `timeout`.
[[nodiscard]] runtime::Async<> connect(Deadline deadline, std::shared_ptr<Dial> dial);

/// Where it goes, for messages.
[[nodiscard]] std::string address_of(const Options& options);

}  // namespace sensus::redis
