#pragma once

#include "raw_client.hpp"

#include "sensus/http/server.hpp"
#include "sensus/runtime/runtime.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>

#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sensus::http::test {

/// A Server on a free port with its reactor on a background thread. `router` and `options` are filled before `start`.
class TestServer {
 public:
  TestServer() { options.listen = {"127.0.0.1:0"}; }
  ~TestServer() {
    stop(std::chrono::seconds{5});
    if (thread_.joinable()) {
      reactor_.stop();
      thread_.join();
    }
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  void start() {
    server_ = std::make_unique<Server>(reactor_.executor(), options, router, logs_.log("http"), metrics);
    const Result<> listening = server_->listen();
    ASSERT_TRUE(listening) << listening.error().message;
    const std::string endpoint = server_->local_endpoints().at(0);
    port = static_cast<unsigned short>(std::atoi(endpoint.substr(endpoint.rfind(':') + 1).c_str()));
    thread_ = std::thread([this] {
      const auto busy = boost::asio::make_work_guard(reactor_.executor());
      reactor_.run();
    });
  }

  /// Runs Server::stop on the reactor. Empty when all went well, else the error's message.
  std::string stop(Duration limit) { return begin_stop(limit).get(); }

  std::future<std::string> begin_stop(Duration limit) {
    if (!thread_.joinable()) {
      std::promise<std::string> nothing;
      nothing.set_value("");
      return nothing.get_future();
    }
    auto stopping = stop_server(server_.get(), Deadline::after(limit));
    return boost::asio::co_spawn(reactor_.executor(), std::move(stopping), boost::asio::use_future);
  }

  [[nodiscard]] std::size_t connections() const { return server_->connections(); }
  [[nodiscard]] std::string log_text() {
    const std::lock_guard lock(log_mutex_);
    return log_text_;
  }
  /// The value of a line of /metrics that begins with `series`; -1 when there is none.
  [[nodiscard]] double metric(const std::string& series) const {
    const std::string page = "\n" + metrics.render();
    const auto at = page.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::atof(page.c_str() + at + series.size() + 2);
  }

  Options options;
  Router router;
  telemetry::Metrics metrics;
  unsigned short port = 0;

 private:
  static boost::asio::awaitable<std::string> stop_server(Server* server, Deadline deadline) {
    const Result<> stopped = co_await server->stop(deadline);
    co_return stopped ? std::string() : stopped.error().message;
  }

  std::mutex log_mutex_;
  std::string log_text_;
  telemetry::LogSystem logs_{telemetry::LogOptions{telemetry::LogLevel::debug, telemetry::LogFormat::json},
                             [this](std::string_view line) {
                               const std::lock_guard lock(log_mutex_);
                               log_text_.append(line).append("\n");
                             }};
  runtime::Runtime reactor_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

/// Answers 200 with "<method> <path> <body>".
inline boost::asio::awaitable<Response> echo(const Request& request) {
  std::string text(request.method_text);
  text += " " + request.path + " " + request.body;
  co_return Response::text(200, std::move(text));
}

inline Route route(Method method, std::string pattern, Handler handler) {
  Route made;
  made.method = method;
  made.pattern = std::move(pattern);
  made.handler = std::move(handler);
  return made;
}

}  // namespace sensus::http::test
