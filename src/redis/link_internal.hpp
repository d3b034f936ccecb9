#pragma once

#include "instruments_internal.hpp"
#include "protocol_internal.hpp"

#include "sensus/core/deadline.hpp"
#include "sensus/core/result.hpp"
#include "sensus/runtime/async.hpp"

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::redis {

using Socket = boost::asio::generic::stream_protocol::socket;

/// A coroutine that waits for the replies to what it sent. Complete when `done`; `wake` is
/// cancelled then.
struct Waiter {
  explicit Waiter(const runtime::Executor& executor) : wake(executor) {}
  std::vector<Reply> replies;
  std::optional<Error> error;
  bool done = false;
  bool abandoned = false;  ///< Nobody waits any more: replies are read and dropped.
  boost::asio::steady_timer wake;
};

struct LinkLimits {
  Duration overdue =
      std::chrono::seconds{2};  ///< Past the oldest command's deadline, the connection is given up.
  std::size_t commands = 10'000;       ///< In flight.
  std::size_t bytes_out = 64U << 20U;  ///< Not yet taken by the kernel.
  ReplyReader::Limits reply = {};
};

/// One connected session: commands out in order, replies back in the same order. Made of plain Asio
/// handlers, each of which holds the link alive. **Threading**: reactor. **Lifetime**: `close` (or
/// the peer) ends it for good; a new connection is a new Link.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(const runtime::Executor& executor, Socket socket,
       std::shared_ptr<const Instruments> instruments, LinkLimits limits);
  void start() { read_more(); }

  /// Queues encoded commands. `overloaded` past a limit, the reason of the close when closed.
  [[nodiscard]] Result<> send(const std::string& bytes, std::size_t replies, Deadline deadline,
                              std::shared_ptr<Waiter> waiter);
  /// Fails every waiter with `why`. Idempotent.
  void close(Error why);
  [[nodiscard]] bool open() const { return open_; }
  /// Why it was closed.
  [[nodiscard]] const Error& reason() const { return reason_; }
  [[nodiscard]] static runtime::Task wait_closed(std::shared_ptr<Link> self);

 private:
  struct Expected {
    std::shared_ptr<Waiter> waiter;
    std::size_t left;
    Deadline::TimePoint overdue;
  };
  void read_more();
  void on_read(const boost::system::error_code& ec, std::size_t size);
  [[nodiscard]] Result<> take_replies();
  [[nodiscard]] Result<> deliver(Reply reply);
  [[nodiscard]] std::string last_words() const;
  void write_more();
  void watch();

  Socket socket_;
  std::shared_ptr<const Instruments> instruments_;
  LinkLimits limits_;
  ReplyReader reader_;
  std::array<char, 64 * 1024> in_{};
  std::string out_;  ///< Collects while `writing_` is on its way.
  std::string writing_;
  std::deque<Expected> expected_;
  std::size_t commands_ = 0;
  bool open_ = true;
  Error reason_;
  boost::asio::steady_timer watchdog_;
  Deadline::TimePoint watched_ = Deadline::TimePoint::max();
  boost::asio::steady_timer closed_;
};

}  // namespace sensus::redis
