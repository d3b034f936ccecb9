#include "dial_internal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <utility>
#include <vector>

namespace sensus::redis {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Endpoint = asio::generic::stream_protocol::endpoint;

void Dial::cancel() {
  cancelled = true;
  resolver.cancel();
  resolved.cancel();
  error_code ignored;
  socket.close(ignored);
}

std::string address_of(const Options& options) {
  return options.socket.empty() ? options.host + ":" + std::to_string(options.port)
                                : options.socket;
}

namespace {

Result<std::vector<Endpoint>> unix_endpoint(const std::string& path) {
  try {
    return std::vector<Endpoint>{Endpoint(asio::local::stream_protocol::endpoint(path))};
  } catch (const std::exception&) {
    return make_error(Errc::unavailable, "the socket path is too long", "redis.socket");
  }
}

/// What the resolver's own thread finds. It cannot be cut short there: what comes too late is dropped.
struct Lookup {
  bool ended = false;
  error_code error;
  std::vector<Endpoint> endpoints;
};

runtime::Async<std::vector<Endpoint>> resolve(std::shared_ptr<Dial> dial) {
  if (!dial->options.socket.empty()) {
    co_return unix_endpoint(dial->options.socket);
  }
  const std::string port = std::to_string(dial->options.port);
  error_code failed;
  const asio::ip::address literal = asio::ip::make_address(dial->options.host, failed);
  if (!failed) {
    co_return std::vector<Endpoint>{
        Endpoint(tcp::endpoint(literal, static_cast<std::uint16_t>(dial->options.port)))};
  }
  auto lookup = std::make_shared<Lookup>();
  dial->resolver.async_resolve(dial->options.host, port,
                               [dial, lookup](const error_code& ec, const tcp::resolver::results_type& found) {
                                 lookup->ended = true;
                                 lookup->error = ec;
                                 for (const auto& entry : found) {
                                   lookup->endpoints.emplace_back(entry.endpoint());
                                 }
                                 dial->resolved.cancel();
                               });
  dial->resolved.expires_at(asio::steady_timer::time_point::max());
  co_await dial->resolved.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!lookup->ended) {
    co_return make_error(Errc::unavailable, "no name server said in time where the host is");
  }
  if (lookup->error) {
    co_return make_error(Errc::unavailable, "cannot resolve the host: " + lookup->error.message());
  }
  co_return std::move(lookup->endpoints);
}

runtime::Async<> connect_any(std::shared_ptr<Dial> dial) {
  Result<std::vector<Endpoint>> endpoints = co_await resolve(dial);
  if (!endpoints) {
    co_return std::move(endpoints).error();
  }
  error_code last = asio::error::host_not_found;
  for (std::size_t i = 0; i < endpoints->size() && !dial->cancelled; ++i) {
    error_code ignored;
    dial->socket.close(ignored);
    auto [ec] =
        co_await dial->socket.async_connect((*endpoints)[i], asio::as_tuple(asio::use_awaitable));
    if (!ec && !dial->cancelled) {
      // Not available on Unix sockets.
      dial->socket.set_option(tcp::no_delay(true), ignored);
      dial->socket.set_option(asio::socket_base::keep_alive(true), ignored);
      co_return Result<>{};
    }
    last = ec;
  }
  co_return make_error(Errc::unavailable, "cannot connect: " + last.message());
}

}  // namespace

runtime::Async<> connect(Deadline deadline, std::shared_ptr<Dial> dial) {
  asio::steady_timer limit(dial->socket.get_executor(), deadline.at());
  // Shared: an expired timer may run its handler after this frame is gone.
  auto late = std::make_shared<bool>(false);
  limit.async_wait([dial, late](const error_code& ec) {
    if (!ec) {
      *late = true;
      dial->cancel();
    }
  });
  Result<> connected = co_await connect_any(dial);
  limit.cancel();
  if (*late) {
    co_return make_error(Errc::timeout,
                         "no connection within " + render_duration(dial->options.connect_timeout));
  }
  co_return connected;
}

}  // namespace sensus::redis
