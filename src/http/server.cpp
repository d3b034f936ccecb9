#include "sensus/http/server.hpp"

#include "listener_internal.hpp"
#include "server_core_internal.hpp"
#include "session_internal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>

#include <utility>

namespace sensus::http {

namespace asio = boost::asio;

struct Server::Impl {
  std::shared_ptr<ServerCore> core;
  std::vector<std::shared_ptr<Listener>> listeners;

  void stop_listening() {
    for (const auto& listener : listeners) {
      listener->stop();
    }
  }

  /// Any session may end, and leave the list, while another is told.
  template <class Tell>
  void for_each_session(Tell tell) {
    auto& sessions = core->sessions;
    for (auto at = sessions.begin(); at != sessions.end();) {
      Session& session = **at;
      ++at;
      tell(session);
    }
  }

  runtime::Task wait_closed(Deadline deadline) {
    if (core->sessions.empty()) {
      co_return;
    }
    core->all_closed.expires_at(deadline.at());
    auto waiting = core->all_closed.async_wait(asio::as_tuple(asio::deferred));
    co_await std::move(waiting);
  }
};

Server::Server(runtime::Executor executor, Options options, const Router& router, telemetry::Log log,
               telemetry::Metrics& metrics)
    : impl_(std::make_shared<Impl>()) {
  impl_->core =
      std::make_shared<ServerCore>(std::move(executor), std::move(options), router, std::move(log), metrics);
}

Server::~Server() { impl_->stop_listening(); }

Result<> Server::listen() {
  for (const std::string& address : impl_->core->options.listen) {
    auto listener = std::make_shared<Listener>(impl_->core);
    if (auto bound = listener->bind(address); !bound) {
      impl_->listeners.clear();
      return bound;
    }
    impl_->listeners.push_back(std::move(listener));
  }
  for (const auto& listener : impl_->listeners) {
    listener->start();
  }
  return {};
}

std::vector<std::string> Server::local_endpoints() const {
  std::vector<std::string> endpoints;
  for (const auto& listener : impl_->listeners) {
    endpoints.push_back(listener->local_endpoint());
  }
  return endpoints;
}

runtime::Async<> Server::stop(Deadline deadline) {
  const std::shared_ptr<Impl> impl = impl_;
  impl->core->draining = true;
  impl->stop_listening();
  impl->for_each_session([](Session& session) { session.drain(); });
  co_await impl->wait_closed(deadline);
  if (impl->core->sessions.empty()) {
    co_return Result<>{};
  }
  const std::size_t late = impl->core->sessions.size();
  impl->core->log.warning("HTTP connections did not end in time and are cut", {{"connections", late}});
  impl->for_each_session([](Session& session) { session.cut(); });
  // Their coroutines unwind as soon as what they wait for lets go.
  co_await impl->wait_closed(Deadline::after(std::chrono::seconds{1}));
  co_return make_error(Errc::timeout, std::to_string(late) + " HTTP connections had to be cut");
}

std::size_t Server::connections() const { return impl_->core->open.load(std::memory_order_relaxed); }

}  // namespace sensus::http
