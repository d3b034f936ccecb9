#include "session_internal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace sensus::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// What is read and thrown away after an early answer, and for how long, so that the client can read the answer before the RST.
/// Most clients look at the answer only once they have sent everything, so the time is the limit that matters.
constexpr std::size_t kLingerBytes = 64 * 1024 * 1024;
constexpr std::chrono::seconds kLingerTime{2};
/// How often a stream looks whether its client is still there.
constexpr std::chrono::seconds kStreamWatch{1};

/// A second for each MiB, so that a deadline fits what is transferred.
Duration size_allowance(std::size_t bytes) {
  return std::chrono::seconds{static_cast<std::chrono::seconds::rep>(bytes >> 20U)};
}

}  // namespace

/// Reads once, after what is due to the client was sent. On failure the session is closed, or has an answer and is closing.
runtime::Task Session::fill() {
  if (pending_out() > 0 && !try_flush()) {
    co_await flush();
  }
  if (!open_) {
    co_return;
  }
  arm_read();
  const auto [space, size] = in_.prepare(stage_ == Stage::head);
  if (size == 0) {
    refuse_head_too_large();
    co_return;
  }
  auto reading = socket_.async_read_some(asio::buffer(space, size), asio::as_tuple(asio::deferred));
  const auto [ec, bytes] = co_await std::move(reading);
  after_read(ec, bytes);
}

void Session::arm_read() {
  const Options& options = core_->options;
  expired_ = false;
  if (stage_ == Stage::body) {
    phase_ = Phase::body;
    const std::size_t announced = parser_.facts().content_length.value_or(request_.body.size());
    deadline_ = body_started_ + options.body_timeout + size_allowance(announced);
    return;
  }
  phase_ = head_begun_ ? Phase::head : Phase::idle;
  // A fresh connection owes its first head; later ones may rest.
  deadline_ = head_begun_ || first_request_ ? head_deadline_ : now_ + options.idle_timeout;
  if (core_->draining && phase_ == Phase::idle) {
    // Nothing was begun, so nothing is lost; what is already in the socket is still read.
    deadline_ = TimePoint::min();
  }
}

void Session::after_read(const error_code& ec, std::size_t bytes) {
  deadline_ = TimePoint::max();
  if (ec == asio::error::operation_aborted && open_) {
    after_aborted_read();
    return;
  }
  if (ec) {
    open_ = false;
    return;
  }
  now_ = std::chrono::steady_clock::now();
  in_.commit(bytes);
  if (phase_ == Phase::idle && !first_request_) {
    head_deadline_ = now_ + core_->options.header_timeout;
  }
}

/// The sweep or a drain ended the read.
void Session::after_aborted_read() {
  now_ = std::chrono::steady_clock::now();
  if (phase_ == Phase::idle) {
    if (!core_->draining) {
      core_->metrics.timed_out(first_request_ ? "header" : "idle");
    }
    // A request may have crossed our decision to close; it is in flight and gets its answer.
    const auto [space, size] = in_.prepare(true);
    error_code ec;
    const std::size_t bytes = socket_.read_some(asio::buffer(space, size), ec);
    open_ = !ec && bytes > 0;
    in_.commit(open_ ? bytes : 0);
    head_deadline_ = now_ + core_->options.header_timeout;
    return;
  }
  core_->metrics.timed_out(phase_name());
  body_unread_ = true;
  if (request_.id.empty()) {
    core_->ids.make_request_id(request_.id);
  }
  answer(said(Response::problem(408, "timeout", "Request timeout",
                                phase_ == Phase::body ? "The body did not arrive in time." : "The head did not arrive in time.")));
}

std::string_view Session::phase_name() const {
  switch (phase_) {
    case Phase::idle: return "idle";
    case Phase::head: return "header";
    case Phase::body: return "body";
    case Phase::handler: return "handler";
    default: return "write";
  }
}

/// Sends without waiting. True when nothing is left to do: all was sent, or the connection is gone.
bool Session::try_flush() {
  while (pending_out() > 0) {
    error_code ec;
    const std::size_t sent = socket_.send(asio::buffer(out_.data() + out_at_, pending_out()), 0, ec);
    if (ec == asio::error::would_block || ec == asio::error::try_again) {
      return false;
    }
    if (ec) {
      open_ = false;
      out_at_ = out_.size();
      return true;
    }
    out_at_ += sent;
  }
  out_at_ = 0;
  constexpr std::size_t kKeptCapacity = 64 * 1024;
  if (out_.capacity() > kKeptCapacity) {
    std::string().swap(out_);
  } else {
    out_.clear();
  }
  return true;
}

runtime::Task Session::flush() {
  phase_ = Phase::write;
  expired_ = false;
  deadline_ = std::chrono::steady_clock::now() + core_->options.write_timeout + size_allowance(pending_out());
  while (open_ && !try_flush()) {
    auto waiting = socket_.async_wait(Socket::wait_write, asio::as_tuple(asio::deferred));
    const auto [ec] = co_await std::move(waiting);
    if (expired_) {
      core_->metrics.timed_out("write");
    }
    open_ = open_ && !ec;
  }
  deadline_ = TimePoint::max();
  now_ = std::chrono::steady_clock::now();
}

/// Sends what is due and closes. After an early answer the client may still be sending: closing on unread bytes would make the
/// kernel send an RST, which can reach the client before it has read the answer.
runtime::Task Session::linger() {
  if (pending_out() > 0 && !try_flush()) {
    co_await flush();
  }
  error_code ec;
  if (open_) {
    socket_.shutdown(Socket::shutdown_send, ec);
  }
  phase_ = Phase::linger;
  deadline_ = std::chrono::steady_clock::now() + kLingerTime;
  std::size_t drained = 0;
  const bool may_be_sending = body_unread_ || !in_.empty();
  while (open_ && may_be_sending && !ec && drained < kLingerBytes) {
    const auto [space, size] = in_.prepare(false);
    auto reading = socket_.async_read_some(asio::buffer(space, size), asio::as_tuple(asio::deferred));
    const auto [failure, bytes] = co_await std::move(reading);
    ec = failure;
    drained += bytes;
  }
  open_ = false;
}

/// Answers of earlier pipelined requests must not wait for a later handler: sends them once the coroutine is suspended.
void Session::post_flush() {
  if (flush_posted_) {
    return;
  }
  flush_posted_ = true;
  asio::post(core_->executor, [self = shared_from_this()] {
    self->flush_posted_ = false;
    if (self->open_ && self->phase_ == Phase::handler) {
      (void)self->try_flush();
    }
  });
}

void Session::on_tick(TimePoint now) {
  if (phase_ == Phase::stream) {
    if (now - stream_watched_ >= kStreamWatch) {
      stream_watched_ = now;
      watch_stream();
    }
    return;
  }
  if (now < deadline_) {
    return;
  }
  deadline_ = TimePoint::max();
  expired_ = true;
  if (phase_ == Phase::handler) {
    cancelled_ = true;
    cancel_.emit(asio::cancellation_type::terminal);
    return;
  }
  error_code ignored;
  socket_.cancel(ignored);
}

/// A producer with nothing to say would keep a dead connection for ever.
void Session::watch_stream() {
  char byte = 0;
  const auto got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  const bool gone = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  if (gone) {
    open_ = false;
    cancelled_ = true;
    cancel_.emit(asio::cancellation_type::terminal);
  }
}

void Session::drain() {
  if (phase_ == Phase::idle) {
    error_code ignored;
    socket_.cancel(ignored);
  } else if (phase_ == Phase::stream) {
    cancelled_ = true;
    cancel_.emit(asio::cancellation_type::terminal);
  }
}

void Session::cut() {
  open_ = false;
  error_code ignored;
  socket_.close(ignored);
  if (phase_ == Phase::handler || phase_ == Phase::stream) {
    cancelled_ = true;
    cancel_.emit(asio::cancellation_type::terminal);
  }
}

}  // namespace sensus::http
