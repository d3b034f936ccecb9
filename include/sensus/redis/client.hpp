#pragma once

#include "sensus/core/secret.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/telemetry/health.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::redis {

/// One reply, owned. An error reply of the server is a value of a successful command: the caller
/// decides.
struct Reply {
  struct Nil {};
  struct ErrorText {
    std::string text;  ///< "NOGROUP No such key ...": the first word is the code.
  };
  using Array = std::vector<Reply>;
  std::variant<Nil, std::int64_t, std::string, Array, ErrorText> value;

  [[nodiscard]] bool is_nil() const { return std::holds_alternative<Nil>(value); }
  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value); }
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value); }
  [[nodiscard]] const Array* array() const { return std::get_if<Array>(&value); }
  [[nodiscard]] const ErrorText* error() const { return std::get_if<ErrorText>(&value); }
};
using Command = std::vector<std::string>;

struct Options {
  std::string socket;  ///< Unix socket path; when set, host and port are not used.
  std::string host = "127.0.0.1";
  std::int64_t port = 6379;
  std::string user;
  Secret password;
  std::int64_t database = 0;
  std::chrono::milliseconds connect_timeout{3000};
  std::chrono::milliseconds command_timeout{3000};
};
void describe(config::Section& section, Options& options);

/// One connection, kept alive by `run` with back-off. Commands are pipelined in order. Give every
/// blocking XREADGROUP a Client of its own. **Threading**: reactor. **Lifetime**: `stop`, then wait
/// for `run` to end, then destroy. **Errors**: `unavailable` at once while not connected, and for
/// every command in flight when the connection drops (its effect is unknown); `timeout` after the
/// deadline (the late reply is discarded in its place; a connection whose oldest command is overdue
/// by 2 s is dropped).
/// **Limits**: replies up to 64 MiB.
class Client {
 public:
  /// `name` is used in logs, metrics (label `connection`) and CLIENT SETNAME.
  Client(runtime::Executor executor, std::string name, Options options, telemetry::Log log,
         telemetry::Metrics& metrics);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] runtime::Async<Reply> command(Deadline deadline, Command args);
  /// Sent together, answered together; one reply a command.
  [[nodiscard]] runtime::Async<std::vector<Reply>> pipeline(Deadline deadline,
                                                            std::vector<Command> commands);

  /// Connects, authenticates, reconnects; ends after `stop`.
  [[nodiscard]] runtime::Task run();
  void stop();
  [[nodiscard]] bool connected() const;
  [[nodiscard]] telemetry::HealthReport health() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::redis
