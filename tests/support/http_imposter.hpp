#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sensus::test {

/// A small HTTP server with blocking sockets that answers as told, also wrongly: scripted with `when`, kept in a call log.
/// **Threading**: own threads, one a connection; every method from any thread. A rule's function runs on a connection's thread.
/// **Lifetime**: the destructor cuts all connections, also stalled ones, and joins.
class HttpImposter {
 public:
  struct Call {
    std::string method;
    std::string target;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    [[nodiscard]] std::string header(const std::string& name) const;  ///< Name in any case; "" when absent.
  };
  enum class Shape {
    whole,    ///< As HTTP wants it.
    cut,      ///< Content-Length of all, half of the body, then the connection closes.
    endless,  ///< Chunks of the body for ever.
    trickle,  ///< One byte of the body every `delay`.
    silent,   ///< Reads the request and never answers.
    hang_up,  ///< Closes without a byte.
    raw,      ///< `body` is sent as it is, status line and all; then the connection closes.
  };
  struct Reply {
    int status = 200;
    std::string body = "{}";
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::chrono::milliseconds delay{0};  ///< Before the first byte.
    Shape shape = Shape::whole;
  };
  using Rule = std::function<Reply(const Call&)>;

  HttpImposter();
  ~HttpImposter();
  HttpImposter(const HttpImposter&) = delete;
  HttpImposter& operator=(const HttpImposter&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const;
  /// The newest rule for method and target wins; target "*" is any. Without a rule: 404.
  void when(std::string method, std::string target, Rule rule);
  void when(std::string method, std::string target, Reply reply);
  [[nodiscard]] std::vector<Call> calls() const;
  [[nodiscard]] std::size_t connections_accepted() const { return accepted_.load(); }
  /// Connections open right now: shows that a client let go.
  [[nodiscard]] std::size_t connections_open() const;

 private:
  struct Entry {
    std::string method;
    std::string target;
    Rule rule;
  };
  void accept_loop();
  void serve(int fd);
  bool answer(int fd, const Reply& reply, bool keep_alive);
  [[nodiscard]] Reply reply_to(const Call& call);
  /// False when the imposter stops meanwhile.
  bool pause(std::chrono::milliseconds d);

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> accepted_{0};
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  std::vector<Entry> rules_;
  std::vector<Call> calls_;
  std::set<int> open_;
  std::vector<std::thread> workers_;
  std::thread acceptor_;
};

}  // namespace sensus::test
