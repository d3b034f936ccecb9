#include "session_internal.hpp"

#include "sensus/core/assert.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace sensus::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kReadInitial = 8 * 1024;
constexpr std::size_t kReadMax = 64 * 1024;
/// Capacity that a connection keeps between requests; a larger body or response is given back.
constexpr std::size_t kKeptCapacity = 64 * 1024;
/// Pipelined answers gather up to here before they are sent.
constexpr std::size_t kOutHigh = 256 * 1024;

std::string address_of(const Session::Socket& socket) {
  boost::system::error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  return ec ? std::string() : endpoint.address().to_string();
}

ParserLimits limits_of(const Options& options) {
  return {options.header_limit.bytes, static_cast<std::size_t>(options.header_count_max)};
}

void give_back(std::string& text) {
  if (text.capacity() > kKeptCapacity) {
    std::string().swap(text);
  }
}

}  // namespace

Session::Session(std::shared_ptr<ServerCore> core, Socket socket)
    : core_(std::move(core)),
      socket_(std::move(socket)),
      peer_(address_of(socket_)),
      in_(kReadInitial, std::max(kReadMax, core_->options.header_limit.bytes + 1)),
      parser_(limits_of(core_->options)),
      now_(std::chrono::steady_clock::now()),
      head_deadline_(now_ + core_->options.header_timeout) {
  core_->enter(*this);
}

Session::~Session() {
  release_body();
  core_->leave(*this);
}

void Session::start(std::shared_ptr<ServerCore> core, Socket socket) {
  auto self = std::make_shared<Session>(std::move(core), std::move(socket));
  const auto slot = self->cancel_.slot();
  const runtime::Executor executor = self->core_->executor;
  const telemetry::Log log = self->core_->log;
  // `run` holds the session, so the slot outlives the coroutine.
  auto coroutine = run(std::move(self));
  asio::co_spawn(executor, std::move(coroutine),
                 asio::bind_cancellation_slot(slot, [log](const std::exception_ptr& failure) {
                   if (failure) {
                     log.throttled(telemetry::LogLevel::error, "http_session_failed",
                                   "an HTTP connection ended with an exception; this is a bug");
                   }
                 }));
}

runtime::Task Session::run(std::shared_ptr<Session> self) {
  try {
    co_await self->serve();
  } catch (const boost::system::system_error&) {
    // Cancelled by `cut`; what could be said to the client was said.
  }
  boost::system::error_code ignored;
  self->socket_.close(ignored);
}

runtime::Task Session::serve() {
  begin_request();
  while (open_) {
    const Next next = step();
    if (next == Next::read) {
      burst_ = 0;
      co_await fill();
    } else if (next == Next::handle) {
      co_await handle();
    }
    if (closing_ && open_) {
      co_await linger();
      co_return;
    }
    if (pending_out() > kOutHigh) {
      co_await flush();
    }
    if (burst_ >= core_->options.pipeline_max) {
      burst_ = 0;
      co_await asio::post(core_->executor, asio::deferred);
    }
  }
}

void Session::begin_request() {
  give_back(request_.body);
  release_body();
  parser_.reset(request_, target_);
  in_.mark();
  stage_ = Stage::head;
  route_ = nullptr;
  head_begun_ = false;
  if (in_.empty()) {
    in_.shrink();
  } else if (!first_request_) {
    head_deadline_ = now_ + core_->options.header_timeout;
  }
  request_.peer = peer_;
}

Session::Next Session::step() { return stage_ == Stage::head ? step_head() : step_body(); }

Session::Next Session::step_head() {
  if (in_.empty()) {
    return Next::read;
  }
  if (!head_begun_ && in_.view().starts_with("\r\n")) {
    // Left over from a body by an old client (RFC 9112 2.2).
    in_.consume(2);
    in_.mark();
    return Next::again;
  }
  head_begun_ = true;
  const RequestParser::Fed fed = parser_.feed_head(in_.view());
  in_.consume(fed.consumed);
  switch (fed.state) {
    case RequestParser::State::need_more: return Next::read;
    case RequestParser::State::head_too_large: return refuse_head_too_large();
    case RequestParser::State::head_done:
    case RequestParser::State::done: return after_head();
    default: return refuse_malformed("malformed", fed.fault);
  }
}

Session::Next Session::after_head() {
  const HeadFacts& facts = parser_.facts();
  request_started_ = now_;
  if (const auto fault = check_framing(facts, in_.since_mark())) {
    return refuse_malformed(fault->reason, fault->detail);
  }
  take_ids();
  Admission admission = admit(core_->router, facts, target_, request_);
  route_ = admission.route;
  if (admission.refusal) {
    body_unread_ = facts.has_body();
    return refuse(std::move(*admission.refusal), admission.reason);
  }
  if (!facts.has_body()) {
    return Next::handle;
  }
  if (facts.chunked) {
    parser_.set_body_limit(route_->body_limit);
  }
  if (!has_room_for(static_cast<std::size_t>(facts.content_length.value_or(0)))) {
    return refuse_no_room();
  }
  stage_ = Stage::body;
  body_started_ = now_;
  if (admission.expects_continue && in_.empty()) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  return step_body();
}

Session::Next Session::step_body() {
  const RequestParser::Fed fed = parser_.feed_body(in_.view());
  in_.consume(fed.consumed);
  if (!claim_body(request_.body)) {
    return refuse_no_room();
  }
  switch (fed.state) {
    case RequestParser::State::need_more: return Next::read;
    case RequestParser::State::done: return Next::handle;
    case RequestParser::State::body_too_large:
      body_unread_ = true;
      return refuse(body_too_large(*route_), "body_too_large");
    default: return refuse_malformed("malformed", fed.fault);
  }
}

bool Session::has_room_for(std::size_t bytes) const {
  const std::size_t others = core_->body_bytes - body_claim_;
  return others == 0 || others + bytes <= core_->options.body_memory.bytes;
}

/// What arrived counts, not what was announced: a slow client must not keep others out with a number.
bool Session::claim_body(const std::string& body) {
  const std::size_t bytes = body_claim_base_ + (body.size() > kKeptCapacity ? body.capacity() : body.size());
  if (bytes <= body_claim_) {
    return true;
  }
  if (!has_room_for(bytes)) {
    return false;
  }
  core_->body_bytes += bytes - body_claim_;
  body_claim_ = bytes;
  core_->metrics.body_bytes.set(static_cast<double>(core_->body_bytes));
  return true;
}

void Session::release_body() {
  if (body_claim_ > 0) {
    core_->body_bytes -= std::exchange(body_claim_, 0);
    body_claim_base_ = 0;
    core_->metrics.body_bytes.set(static_cast<double>(core_->body_bytes));
  }
}

Response Session::no_room() const {
  core_->log.throttled(telemetry::LogLevel::warning, "http_bodies_full",
                       "there is no room for another request's body: senders get 503 and retry; if it lasts, PostgreSQL is too slow "
                       "for what comes (or raise server.body_memory)",
                       {{"body_bytes", core_->body_bytes}});
  return to_response(make_error(Errc::overloaded, "too many bodies are on their way: send again"));
}

Session::Next Session::refuse_no_room() {
  body_unread_ = true;
  return refuse(no_room(), "body_memory");
}

Session::Next Session::refuse(Response response, std::string_view reason) {
  core_->metrics.refused(reason);
  answer(said(std::move(response)));
  return Next::again;
}

/// Where the next request begins is not known any more, so nothing after this is looked at.
Session::Next Session::refuse_malformed(std::string_view reason, std::string_view detail) {
  if (request_.id.empty()) {
    core_->ids.make_request_id(request_.id);
  }
  body_unread_ = true;
  std::string text(detail);
  text += '.';
  text[0] = static_cast<char>(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0]);
  return refuse(Response::problem(400, "bad_request", "Bad request", text), reason);
}

Session::Next Session::refuse_head_too_large() {
  core_->ids.make_request_id(request_.id);
  body_unread_ = true;
  const Options& options = core_->options;
  return refuse(Response::problem(431, "header_too_large", "Request header fields too large",
                                  "The request's head is limited to " + std::to_string(options.header_limit.bytes) +
                                      " bytes and " + std::to_string(options.header_count_max) + " fields."),
                "head_too_large");
}

void Session::take_ids() {
  const HeadFacts& facts = parser_.facts();
  if (facts.has_request_id) {
    const std::string_view given = request_.headers.get("X-Request-Id");
    if (is_request_id(given)) {
      request_.id = given;
    }
  }
  if (request_.id.empty()) {
    core_->ids.make_request_id(request_.id);
  }
  if (facts.has_traceparent) {
    request_.trace_id = trace_id_of(request_.headers.get_joined("traceparent"));
  }
  if (request_.trace_id.empty()) {
    core_->ids.make_trace_id(request_.trace_id);
  }
}

}  // namespace sensus::http
