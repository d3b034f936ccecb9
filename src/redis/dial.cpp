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
  auto [ec, found] = co_await dial->resolver.async_resolve(dial->options.host, port,
                                                           asio::as_tuple(asio::use_awaitable));
  if (ec) {
    co_return make_error(Errc::unavailable, "cannot resolve the host: " + ec.message());
  }
  std::vector<Endpoint> endpoints;
  for (const auto& entry : found) {
    endpoints.emplace_back(entry.endpoint());
  }
  co_return endpoints;
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
