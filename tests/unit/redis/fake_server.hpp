#pragma once

#include "redis/protocol_internal.hpp"
#include "sensus/redis/client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sensus::redis::test {

/// A server on the test's own reactor that answers what the script says, however wrong. It speaks
/// from the first command on.
class FakeServer {
 public:
  /// Raw bytes for a command; empty = no answer. `kHangUp` closes the connection.
  using Script = std::function<std::string(const Command&)>;
  inline static const std::string kHangUp = "<hang up>";

  FakeServer(const runtime::Executor& executor, Script script)
      : acceptor_(executor, {boost::asio::ip::address_v4::loopback(), 0}),
        state_(std::make_shared<State>()) {
    state_->script = std::move(script);
    accept();
  }
  ~FakeServer() { stop(); }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  [[nodiscard]] Options options() const {
    Options options;
    options.port = acceptor_.local_endpoint().port();
    options.connect_timeout = std::chrono::milliseconds{300};
    return options;
  }
  [[nodiscard]] int accepted() const { return state_->accepted; }
  [[nodiscard]] const std::vector<Command>& seen() const { return state_->seen; }
  void stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (const auto& session : state_->sessions) {
      session->socket.close(ignored);
    }
    state_->sessions.clear();
  }

  /// Answers of a healthy server to a greeting; nullptr for any other command.
  static const char* greet(const Command& command) {
    if (command[0] == "AUTH" || command[0] == "SELECT" || command[0] == "CLIENT") {
      return "+OK\r\n";
    }
    return command[0] == "PING" ? "+PONG\r\n" : nullptr;
  }

 private:
  struct Session : std::enable_shared_from_this<Session> {
    explicit Session(boost::asio::ip::tcp::socket s) : socket(std::move(s)) {}
    boost::asio::ip::tcp::socket socket;
    ReplyReader reader;
    std::array<char, 4096> in{};
  };
  struct State {
    Script script;
    std::vector<std::shared_ptr<Session>> sessions;
    std::vector<Command> seen;
    int accepted = 0;
  };

  void accept() {
    acceptor_.async_accept(
        [this](const boost::system::error_code& ec, boost::asio::ip::tcp::socket socket) {
          if (ec) {
            return;
          }
          ++state_->accepted;
          auto session = std::make_shared<Session>(std::move(socket));
          state_->sessions.push_back(session);
          read(state_, session);
          accept();
        });
  }

  static void read(const std::shared_ptr<State>& state, const std::shared_ptr<Session>& session) {
    session->socket.async_read_some(
        boost::asio::buffer(session->in),
        [state, session](const boost::system::error_code& ec, std::size_t n) {
          if (ec || !session->reader.feed({session->in.data(), n})) {
            return;
          }
          if (answer(*state, *session)) {
            read(state, session);
          }
        });
  }

  static bool answer(State& state, Session& session) {
    boost::system::error_code ec;
    while (true) {
      Result<std::optional<Reply>> request = session.reader.next();
      if (!request || !*request) {
        return true;
      }
      Command command;
      for (const Reply& part : *(*request)->array()) {
        command.push_back(*part.text());
      }
      state.seen.push_back(command);
      const std::string bytes = state.script(command);
      if (bytes == kHangUp) {
        session.socket.close(ec);
        return false;
      }
      boost::asio::write(session.socket, boost::asio::buffer(bytes), ec);
    }
  }

  boost::asio::ip::tcp::acceptor acceptor_;
  std::shared_ptr<State> state_;
};

}  // namespace sensus::redis::test
