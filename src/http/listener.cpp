#include "listener_internal.hpp"

#include "response_head_internal.hpp"
#include "session_internal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <utility>

namespace sensus::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

struct HostPort {
  std::string host;
  std::string port;
};

Result<HostPort> split_address(const std::string& address) {
  const auto colon = address.rfind(':');
  const bool has_port = colon != std::string::npos && colon + 1 < address.size();
  HostPort parts;
  if (has_port) {
    parts.host = address.substr(0, colon);
    parts.port = address.substr(colon + 1);
  }
  const bool bracketed = parts.host.starts_with('[') && parts.host.ends_with(']');
  if (bracketed) {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  const bool bare_ipv6 = !bracketed && parts.host.find(':') != std::string::npos;
  const bool numeric = parts.port.size() <= 5 && parts.port.find_first_not_of("0123456789") == std::string::npos;
  if (!has_port || bare_ipv6 || !numeric || std::stoul(parts.port) > 65535) {
    return make_error(Errc::invalid_input,
                      "listen address '" + address + "' is not host:port, [ipv6]:port or :port", "server.listen");
  }
  return parts;
}

Error cannot_listen(const std::string& address, const error_code& ec) {
  std::string hint;
  if (ec == asio::error::address_in_use) {
    hint = "; another process has it: stop that one or choose another server.listen";
  } else if (ec == asio::error::access_denied) {
    hint = "; ports below 1024 need CAP_NET_BIND_SERVICE: choose another server.listen";
  }
  return make_error(Errc::unavailable, "cannot listen on " + address + ": " + ec.message() + hint, "server.listen");
}

/// A peer that vanished without a FIN is found even inside a quiet stream: by probes after a minute, or when what was sent to it stays
/// unacknowledged for the write deadline (a small event fits the socket's buffer, so no write of ours would wait for it).
void set_liveness(asio::ip::tcp::socket& socket, std::chrono::milliseconds unacknowledged_max) {
  error_code ignored;
  socket.set_option(asio::ip::tcp::socket::keep_alive(true), ignored);
  const auto set = [fd = socket.native_handle()](int option, int value) {
    ::setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
  };
  set(TCP_KEEPIDLE, 60);
  set(TCP_KEEPINTVL, 10);
  set(TCP_USER_TIMEOUT, static_cast<int>(unacknowledged_max.count()));
}

std::string render_endpoint(const asio::ip::tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + host + "]:" + port : host + ":" + port;
}

}  // namespace

Listener::Listener(std::shared_ptr<ServerCore> core)
    : core_(std::move(core)),
      acceptor_(core_->executor),
      pause_(core_->executor),
      backoff_({std::chrono::milliseconds{100}, std::chrono::milliseconds{1000}}) {}

Result<> Listener::bind(const std::string& address) {
  SENSUS_TRY(const HostPort parts, split_address(address));
  error_code ec;
  Tcp::resolver resolver(core_->executor);
  const auto flags = Tcp::resolver::passive | Tcp::resolver::numeric_service;
  const std::string host = parts.host == "*" ? std::string() : parts.host;
  const auto found = host.empty() ? Tcp::resolver::results_type::create(
                                        Tcp::endpoint(Tcp::v4(), static_cast<unsigned short>(std::stoul(parts.port))),
                                        host, parts.port)
                                  : resolver.resolve(host, parts.port, flags, ec);
  if (ec || found.empty()) {
    return cannot_listen(address, ec);
  }
  const Tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), ec);
  if (!ec) {
    acceptor_.set_option(Tcp::acceptor::reuse_address(true), ec);
  }
  if (!ec && endpoint.address().is_v6()) {
    // So that 0.0.0.0 and [::] can be listened on side by side.
    acceptor_.set_option(asio::ip::v6_only(true), ec);
  }
  if (!ec) {
    acceptor_.bind(endpoint, ec);
  }
  if (!ec) {
    acceptor_.listen(Tcp::acceptor::max_listen_connections, ec);
  }
  if (ec) {
    return cannot_listen(address, ec);
  }
  local_endpoint_ = render_endpoint(acceptor_.local_endpoint(ec));
  return {};
}

void Listener::start() {
  auto coroutine = run(shared_from_this());
  asio::co_spawn(core_->executor, std::move(coroutine), [log = core_->log](const std::exception_ptr& failure) {
    if (failure) {
      log.error("an HTTP accept loop ended with an exception; restart the daemon and report this");
    }
  });
}

void Listener::stop() {
  stopped_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

runtime::Task Listener::run(std::shared_ptr<Listener> self) {
  while (!self->stopped_) {
    auto accepting = self->acceptor_.async_accept(asio::as_tuple(asio::deferred));
    auto [ec, socket] = co_await std::move(accepting);
    if (self->stopped_) {
      co_return;
    }
    if (!ec) {
      self->backoff_.reset();
      self->admit(std::move(socket));
      continue;
    }
    self->core_->metrics.rejected_accept_error.inc();
    // The client left between SYN and accept: no fault of ours.
    if (ec != asio::error::connection_aborted) {
      co_await self->pause_after(ec);
    }
  }
}

runtime::Task Listener::pause_after(error_code failure) {
  core_->log.throttled(telemetry::LogLevel::error, "http_accept_failed",
                       "cannot accept HTTP connections; raise LimitNOFILE or lower server.connections_max",
                       {{"listen", local_endpoint_}, {"reason", failure.message()}});
  pause_.expires_after(backoff_.next());
  auto waiting = pause_.async_wait(asio::as_tuple(asio::deferred));
  co_await std::move(waiting);
}

void Listener::admit(Tcp::socket socket) {
  error_code ignored;
  socket.non_blocking(true, ignored);
  if (core_->sessions.size() >= static_cast<std::size_t>(core_->options.connections_max)) {
    reject(socket);
    return;
  }
  socket.set_option(Tcp::no_delay(true), ignored);
  set_liveness(socket, core_->options.write_timeout);
  Session::start(core_, std::move(socket));
}

void Listener::reject(Tcp::socket& socket) {
  core_->metrics.rejected_connections_max.inc();
  core_->log.throttled(telemetry::LogLevel::warning, "http_connections_max",
                       "HTTP connections are refused: all are taken; raise server.connections_max or find who holds them",
                       {{"connections_max", core_->options.connections_max}});
  Response response = Response::problem(503, "overloaded", "Overloaded", "All connections are taken; try again later.");
  response.headers.add("Retry-After", "1");
  std::string id;
  core_->ids.make_request_id(id);
  HeadOptions head;
  head.request_id = id;
  head.date = core_->date(std::chrono::steady_clock::now());
  head.close = true;
  head.body_bytes = response.body.size();
  std::string out;
  append_head(response, head, out);
  out += response.body;
  error_code ignored;
  socket.send(asio::buffer(out), 0, ignored);
  socket.shutdown(Tcp::socket::shutdown_send, ignored);
  // What the client sent with its SYN's ACK is taken out, or closing would reset the connection under the answer.
  std::array<char, 4096> unread;
  socket.read_some(asio::buffer(unread), ignored);
}

}  // namespace sensus::http
