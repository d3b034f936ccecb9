#pragma once

#include "server_core_internal.hpp"

#include "sensus/core/result.hpp"
#include "sensus/runtime/backoff.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <string>

namespace sensus::http {

/// One bound socket and its accept loop. **Threading**: reactor only. Over the cap a connection is answered 503 and closed; when
/// accepting itself fails (no descriptors, no memory) the loop backs off instead of spinning.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  explicit Listener(std::shared_ptr<ServerCore> core);

  /// "host:port", "[::1]:port", ":port" (all addresses).
  [[nodiscard]] Result<> bind(const std::string& address);
  void start();
  void stop();
  [[nodiscard]] const std::string& local_endpoint() const { return local_endpoint_; }

 private:
  using Tcp = boost::asio::ip::tcp;
  static runtime::Task run(std::shared_ptr<Listener> self);
  runtime::Task pause_after(boost::system::error_code failure);
  void admit(Tcp::socket socket);
  void reject(Tcp::socket& socket);

  std::shared_ptr<ServerCore> core_;
  Tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  runtime::Backoff backoff_;
  std::string local_endpoint_;
  bool stopped_ = false;
};

}  // namespace sensus::http
