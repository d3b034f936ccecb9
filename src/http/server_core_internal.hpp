#pragma once

#include "http_metrics_internal.hpp"
#include "request_ids_internal.hpp"

#include "sensus/http/server.hpp"

#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <list>
#include <memory>
#include <string>

namespace sensus::http {

class Session;

/// What the sessions of one server share. **Threading**: reactor only, except `open`. **Lifetime**: shared with every session, so it is
/// there until the last one ended.
class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  ServerCore(runtime::Executor executor, Options options, const Router& router, telemetry::Log log,
             telemetry::Metrics& metrics);

  void enter(Session& session);
  void leave(Session& session);
  /// The Date header's text, made once a second.
  [[nodiscard]] const std::string& date(TimePoint now);

  const runtime::Executor executor;
  const Options options;
  const Router& router;
  const telemetry::Log log;
  HttpMetrics metrics;
  IdGenerator ids;
  bool draining = false;
  std::size_t body_bytes = 0;  ///< Claimed by bodies of all sessions.
  std::list<Session*> sessions;
  std::atomic<std::size_t> open{0};
  /// Cancelled when the last session leaves: wakes `Server::stop`.
  boost::asio::steady_timer all_closed;

 private:
  void arm_sweep();
  void sweep();

  /// One timer for all deadlines of all connections: each tick compares, so a request costs no timer operation.
  boost::asio::steady_timer sweep_timer_;
  std::chrono::milliseconds tick_;
  bool sweeping_ = false;
  TimePoint date_until_{};
  std::string date_;
};

}  // namespace sensus::http
