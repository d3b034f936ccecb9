#include "accept_internal.hpp"
#include "admission_internal.hpp"
#include "gzip_internal.hpp"
#include "session_internal.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <utility>

namespace sensus::http {

namespace asio = boost::asio;

namespace {

/// Compressed between two turns of the reactor: about a millisecond.
constexpr std::size_t kGzipPiece = 64 * 1024;
/// Of 64 KiB, unpacked between two turns: also about a millisecond.
constexpr std::size_t kUnpackedPieces = 8;

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

/// A stream's way out, on the session's own coroutine.
class ChunkWriter final : public BodyWriter {
 public:
  explicit ChunkWriter(Session& session) : session_(session) {}
  runtime::Async<> write(std::string chunk) override { return session_.write_chunk(std::move(chunk)); }

 private:
  Session& session_;
};

runtime::Task Session::handle() {
  if (pending_out() > 0) {
    post_flush();
  }
  phase_ = Phase::handler;
  request_.deadline = Deadline(now_ + route_->deadline);
  deadline_ = request_.deadline.at();
  expired_ = false;
  Response response;
  try {
    std::optional<Response> refusal;
    if (is_packed()) {
      co_await unpack(refusal);
    }
    if (refusal) {
      response = said(*std::move(refusal));
    } else {
      auto pending = route_->handler(request_);
      response = co_await std::move(pending);
    }
  } catch (...) {
    response = failed(std::current_exception());
    response = said(std::move(response));
  }
  deadline_ = TimePoint::max();
  now_ = std::chrono::steady_clock::now();
  if (cancelled_) {
    cancelled_ = false;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  }
  if (!open_) {
    co_return;
  }
  if (response.stream) {
    co_await stream(response);
    co_return;
  }
  if (wants_gzip(response)) {
    co_await compress(response);
  }
  answer(response);
}

Response Session::said(Response refusal) const {
  return route_ != nullptr && route_->refusal ? route_->refusal(request_, std::move(refusal)) : refusal;
}

Response Session::failed(const std::exception_ptr& failure) {
  std::string what = "not a std::exception";
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& e) {
    what = e.what();
    if (e.code() == asio::error::operation_aborted && cancelled_) {
      core_->metrics.timed_out("handler");
      Response response = Response::problem(503, "timeout", "Deadline passed",
                                            "The request took longer than it may; try again later.");
      response.headers.add("Retry-After", "1");
      return response;
    }
  } catch (const std::exception& e) {
    what = e.what();
  } catch (...) {
    // Said above.
  }
  core_->log.error("a request handler threw; this is a bug, report it with this line",
                   {{"request_id", request_.id}, {"endpoint", request_.route}, {"what", what}});
  return to_response(make_error(Errc::internal, std::move(what)));
}

bool Session::is_packed() const {
  // Admission let the coding through, so the route lists it.
  return parser_.facts().has_content_encoding && !request_.body.empty() &&
         iequals(request_.headers.get_joined("Content-Encoding"), "gzip");
}

/// A long body lets others run between pieces.
runtime::Task Session::unpack(std::optional<Response>& refusal) {
  using State = GzipDecoder::State;
  std::string body;
  GzipDecoder decoder(request_.body, route_->body_limit);
  State state = State::more;
  body_claim_base_ = body_claim_;
  bool room = true;
  for (std::size_t pieces = 1; room && state == State::more; ++pieces) {
    state = decoder.step(body);
    room = claim_body(body);
    if (pieces % kUnpackedPieces == 0) {
      co_await asio::post(core_->executor, asio::deferred);
    }
  }
  if (!room) {
    core_->metrics.refused("body_memory");
    refusal = no_room();
    co_return;
  }
  if (state == State::done) {
    request_.body = std::move(body);
    request_.headers.set("Content-Encoding", "identity");
    co_return;
  }
  if (state == State::too_large) {
    core_->metrics.refused("body_too_large");
    refusal = body_too_large(*route_);
  } else if (state == State::malformed) {
    core_->metrics.refused("content_encoding");
    refusal = Response::problem(400, "bad_request", "Bad request", "The body is not the gzip that its Content-Encoding says.");
  } else {
    refusal = to_response(make_error(Errc::overloaded, "there is no memory to unpack the body: try again later"));
  }
}

bool Session::wants_gzip(const Response& response) const {
  return response.body.size() >= kGzipBytesMin && is_compressible(response.content_type) &&
         !response.headers.contains("Content-Encoding");
}

/// Replaces the body when the client takes gzip. Long bodies let others run between pieces.
runtime::Task Session::compress(Response& response) {
  response.headers.add("Vary", "Accept-Encoding");
  if (!parser_.facts().has_accept_encoding || !accepts_gzip(request_.headers.get_joined("Accept-Encoding"))) {
    co_return;
  }
  GzipEncoder encoder;
  if (!encoder.ok()) {
    co_return;
  }
  std::string packed;
  const std::size_t size = response.body.size();
  for (std::size_t at = 0; at < size; at += kGzipPiece) {
    const std::size_t piece = std::min(kGzipPiece, size - at);
    encoder.append(std::string_view(response.body).substr(at, piece), at + piece == size, packed);
    if (at + piece < size) {
      co_await asio::post(core_->executor, asio::deferred);
    }
  }
  response.body = std::move(packed);
  response.headers.add("Content-Encoding", "gzip");
}

void Session::answer(const Response& response) {
  append_response(response, is_bodiless(response.status) ? BodyFraming::none : BodyFraming::length);
  EndpointMetrics& endpoint = core_->metrics.endpoint(route_);
  endpoint.count(request_.method, response.status);
  const double took = route_ != nullptr ? seconds(now_ - request_started_) : 0;
  if (route_ != nullptr) {
    endpoint.observe(took);
  }
  log_access(response.status, took);
  ++burst_;
  first_request_ = false;
  if (!closing_) {
    begin_request();
  }
}

void Session::append_response(const Response& response, BodyFraming framing) {
  closing_ = closing_ || body_unread_ || !parser_.facts().keep_alive || core_->draining ||
             framing == BodyFraming::until_close;
  HeadOptions head;
  head.request_id = request_.id;
  head.date = core_->date(now_);
  head.close = closing_;
  head.keep_alive_http10 = !closing_ && !parser_.facts().http11;
  head.framing = framing;
  head.body_bytes = response.body.size();
  append_head(response, head, out_);
  if (framing == BodyFraming::length && request_.method != Method::head) {
    out_ += response.body;
  }
}

void Session::log_access(int status, double took) const {
  using telemetry::LogLevel;
  const bool asked_for = route_ != nullptr && route_->probe;
  const bool shown = !asked_for && core_->options.access_log != "refused";
  const LogLevel quiet = shown ? LogLevel::info : LogLevel::debug;
  const LogLevel level = asked_for || status < 400 ? quiet : status >= 500 ? LogLevel::warning : LogLevel::info;
  if (!core_->log.enabled(level)) {
    return;
  }
  const std::string_view endpoint = route_ != nullptr ? std::string_view(route_->pattern) : "unmatched";
  const telemetry::Fields fields = {{"method", request_.method_text}, {"endpoint", endpoint},
                                    {"status", status},               {"ms", took * 1000},
                                    {"peer", peer_},                  {"request_id", request_.id},
                                    {"trace_id", request_.trace_id}};
  if (asked_for || status < 400) {
    if (shown && core_->options.access_log == "sampled") {
      core_->log.throttled(level, "http_ok_" + std::string(endpoint), "request", fields);
    } else {
      core_->log.write(level, "request", fields);
    }
    return;
  }
  std::string key = "http_" + std::to_string(status) + '_';
  key += endpoint;
  core_->log.throttled(level, key, status >= 500 ? "request failed" : "request refused", fields);
}

runtime::Task Session::stream(const Response& response) {
  const bool http11 = parser_.facts().http11;
  append_response(response, http11 ? BodyFraming::chunked : BodyFraming::until_close);
  core_->metrics.endpoint(route_).count(request_.method, response.status);
  bool complete = true;
  if (request_.method != Method::head) {
    phase_ = Phase::stream;
    if (!try_flush()) {
      co_await flush();
      phase_ = Phase::stream;
    }
    ChunkWriter writer(*this);
    try {
      auto pending = response.stream(writer);
      co_await std::move(pending);
    } catch (...) {
      // A drain ends a stream in good order; a bug cuts it, so that the client sees that it is not whole.
      complete = cancelled_;
      if (!cancelled_) {
        (void)failed(std::current_exception());
      }
    }
    if (http11 && complete) {
      out_ += "0\r\n\r\n";
    }
  }
  if (cancelled_) {
    cancelled_ = false;
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  }
  phase_ = Phase::write;
  now_ = std::chrono::steady_clock::now();
  closing_ = closing_ || core_->draining || !complete;
  first_request_ = false;
  log_access(response.status, seconds(now_ - request_started_));
  if (!closing_) {
    begin_request();
  }
}

runtime::Async<> Session::write_chunk(std::string chunk) {
  if (core_->draining) {
    co_return make_error(Errc::cancelled, "the server is shutting down");
  }
  if (!open_) {
    co_return make_error(Errc::cancelled, "the client is gone");
  }
  if (chunk.empty()) {
    co_return Result<>{};
  }
  if (parser_.facts().http11) {
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), chunk.size(), 16).ptr;
    out_.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
    out_ += "\r\n";
    out_ += chunk;
    out_ += "\r\n";
  } else {
    out_ += chunk;
  }
  if (!try_flush()) {
    co_await flush();
  }
  phase_ = Phase::stream;
  if (!open_) {
    co_return make_error(expired_ ? Errc::timeout : Errc::cancelled,
                         expired_ ? "the client reads too slowly" : "the client is gone");
  }
  co_return Result<>{};
}

}  // namespace sensus::http
