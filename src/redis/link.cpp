#include "link_internal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <utility>

namespace sensus::redis {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {
Deadline::TimePoint overdue_at(Deadline deadline, Duration grace) {
  return deadline.at() >= Deadline::TimePoint::max() - grace ? Deadline::TimePoint::max()
                                                             : deadline.at() + grace;
}
}  // namespace

Link::Link(const runtime::Executor& executor, Socket socket,
           std::shared_ptr<const Instruments> instruments, LinkLimits limits)
    : socket_(std::move(socket)),
      instruments_(std::move(instruments)),
      limits_(limits),
      reader_(limits.reply),
      watchdog_(executor),
      closed_(executor, Deadline::TimePoint::max()) {}

Result<> Link::send(const std::string& bytes, std::size_t replies, Deadline deadline,
                    std::shared_ptr<Waiter> waiter) {
  if (!open_) {
    return reason_;
  }
  if (commands_ + replies > limits_.commands || out_.size() + bytes.size() > limits_.bytes_out) {
    return make_error(Errc::overloaded, "too many Redis commands wait for their reply");
  }
  out_ += bytes;
  commands_ += replies;
  instruments_->in_flight.set(static_cast<double>(commands_));
  expected_.push_back(Expected{std::move(waiter), replies, overdue_at(deadline, limits_.overdue)});
  if (expected_.size() == 1) {
    watch();
  }
  if (writing_.empty()) {
    write_more();
  }
  return {};
}

void Link::close(Error why) {
  if (!open_) {
    return;
  }
  open_ = false;
  reason_ = std::move(why);
  error_code ignored;
  socket_.close(ignored);
  watchdog_.cancel();
  closed_.cancel();
  commands_ = 0;
  instruments_->in_flight.set(0);
  const std::deque<Expected> orphans = std::exchange(expected_, {});
  for (const Expected& orphan : orphans) {
    orphan.waiter->error = reason_;
    orphan.waiter->done = true;
    orphan.waiter->wake.cancel();
  }
}

runtime::Task Link::wait_closed(std::shared_ptr<Link> self) {
  while (self->open_) {
    // When the coroutine is cancelled the link is still open, and the next co_await throws
    // operation_aborted.
    co_await self->closed_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

void Link::read_more() {
  socket_.async_read_some(asio::buffer(in_),
                          [self = shared_from_this()](const error_code& ec, std::size_t size) {
                            self->on_read(ec, size);
                          });
}

void Link::on_read(const error_code& ec, std::size_t size) {
  if (!open_) {
    return;
  }
  if (ec) {
    close(make_error(Errc::unavailable,
                     "Redis closed the connection: " + ec.message() + last_words()));
    return;
  }
  Result<> taken = reader_.feed(std::string_view(in_.data(), size));
  if (taken) {
    taken = take_replies();
  }
  if (!taken) {
    instruments_->protocol_errors.inc();
    close(
        make_error(Errc::unavailable, "dropped the connection to Redis: " + taken.error().message));
    return;
  }
  if (open_) {
    read_more();
  }
}

/// A server that refuses a connection says why and hangs up.
std::string Link::last_words() const {
  if (expected_.empty() || expected_.front().waiter->replies.empty()) {
    return {};
  }
  const Reply::ErrorText* error = expected_.front().waiter->replies.back().error();
  return error != nullptr ? "; it said " + error->text.substr(0, 200) : std::string{};
}

Result<> Link::take_replies() {
  while (open_) {
    Result<std::optional<Reply>> reply = reader_.next();
    if (!reply) {
      return std::move(reply).error();
    }
    if (!*reply) {
      return {};
    }
    if (Result<> delivered = deliver(std::move(**reply)); !delivered) {
      return delivered;
    }
  }
  return {};
}

Result<> Link::deliver(Reply reply) {
  if (expected_.empty()) {
    const std::string said = reply.error() != nullptr ? reply.error()->text.substr(0, 100)
                                                      : "a reply that nothing asked for";
    return make_error(Errc::corrupt, "the server said " + said);
  }
  Expected& front = expected_.front();
  --commands_;
  instruments_->in_flight.set(static_cast<double>(commands_));
  if (front.waiter->abandoned) {
    instruments_->late_replies.inc();
  } else {
    front.waiter->replies.push_back(std::move(reply));
  }
  if (--front.left > 0) {
    return {};
  }
  const std::shared_ptr<Waiter> waiter = std::move(front.waiter);
  expected_.pop_front();
  waiter->done = true;
  waiter->wake.cancel();
  if (!expected_.empty() && expected_.front().overdue < watched_) {
    watch();
  }
  return {};
}

void Link::write_more() {
  writing_ = std::exchange(out_, {});
  if (writing_.empty() || !open_) {
    return;
  }
  auto written = [self = shared_from_this()](const error_code& ec, std::size_t) {
    self->writing_.clear();
    if (!self->open_) {
      return;
    }
    // A failed write ends writing only: what the server said before it hung up ("max number of
    // clients reached") is still to be read, and then the read ends the link. Should it not, the
    // watchdog does.
    if (!ec) {
      self->write_more();
    }
  };
  asio::async_write(socket_, asio::buffer(writing_), std::move(written));
}

void Link::watch() {
  watched_ = expected_.empty() ? Deadline::TimePoint::max() : expected_.front().overdue;
  if (watched_ == Deadline::TimePoint::max()) {
    return;
  }
  watchdog_.expires_at(watched_);
  watchdog_.async_wait([self = shared_from_this()](const error_code& ec) {
    if (ec || !self->open_) {
      return;
    }
    if (!self->expected_.empty() &&
        self->expected_.front().overdue <= std::chrono::steady_clock::now()) {
      self->close(
          make_error(Errc::unavailable, "dropped the connection to Redis: it does not answer"));
      return;
    }
    self->watch();
  });
}

}  // namespace sensus::redis
