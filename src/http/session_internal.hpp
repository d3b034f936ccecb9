#pragma once

#include "admission_internal.hpp"
#include "read_buffer_internal.hpp"
#include "request_parser_internal.hpp"
#include "response_head_internal.hpp"
#include "server_core_internal.hpp"

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

namespace sensus::http {

/// One connection: one coroutine, one read buffer, one write buffer, one Request that is reused. `step` parses what is buffered and
/// decides without waiting; `serve` waits where it says to. Responses gather in `out_` and leave in one write before the next read, so
/// pipelined requests are answered in few system calls.
/// **Threading**: reactor only. **Lifetime**: owned by its coroutine; ServerCore knows it between enter and leave.
/// **Errors/limits**: every wait has a deadline, kept in `deadline_` and compared by the core's sweep.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using TimePoint = ServerCore::TimePoint;

  Session(std::shared_ptr<ServerCore> core, Socket socket);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Starts the coroutine.
  static void start(std::shared_ptr<ServerCore> core, Socket socket);

  /// Called by the sweep: acts when the deadline of the present phase has passed.
  void on_tick(TimePoint now);
  /// No further request: an idle connection closes, a stream ends, a request in flight is answered with Connection: close.
  void drain();
  /// Closes now, whatever it is doing.
  void cut();

  /// Of the session's position in ServerCore::sessions.
  std::list<Session*>::iterator place;

 private:
  friend class ChunkWriter;

  enum class Phase { idle, head, body, write, handler, stream, linger };
  enum class Stage { head, body };
  enum class Next { read, handle, again };

  static runtime::Task run(std::shared_ptr<Session> self);
  runtime::Task serve();

  // session.cpp: deciding. None of these waits.
  Next step();
  Next step_head();
  Next step_body();
  Next after_head();
  Next refuse(Response response, std::string_view reason);
  Next refuse_malformed(std::string_view reason, std::string_view detail);
  Next refuse_head_too_large();
  Next refuse_no_room();
  [[nodiscard]] Response no_room() const;
  void begin_request();
  void take_ids();
  /// Counts the memory of this request's body; false when it does not fit beside the other bodies.
  [[nodiscard]] bool claim_body(const std::string& body);
  [[nodiscard]] bool has_room_for(std::size_t bytes) const;
  void release_body();

  // session_io.cpp: the socket.
  runtime::Task fill();
  runtime::Task flush();
  runtime::Task linger();
  [[nodiscard]] bool try_flush();
  void arm_read();
  void after_read(const boost::system::error_code& ec, std::size_t bytes);
  void after_aborted_read();
  void post_flush();
  [[nodiscard]] std::size_t pending_out() const { return out_.size() - out_at_; }
  [[nodiscard]] std::string_view phase_name() const;
  void watch_stream();

  // session_answer.cpp: handlers and responses.
  runtime::Task handle();
  runtime::Task stream(const Response& response);
  runtime::Async<> write_chunk(std::string chunk);
  runtime::Task compress(Response& response);
  [[nodiscard]] bool is_packed() const;
  /// Unpacks the body of request_, or fills `refusal`.
  runtime::Task unpack(std::optional<Response>& refusal);
  /// A refusal of the server's own in the words of the route, where it has its own.
  [[nodiscard]] Response said(Response refusal) const;
  [[nodiscard]] Response failed(const std::exception_ptr& failure);
  [[nodiscard]] bool wants_gzip(const Response& response) const;
  void answer(const Response& response);
  void append_response(const Response& response, BodyFraming framing);
  void log_access(int status, double seconds) const;

  std::shared_ptr<ServerCore> core_;
  Socket socket_;
  boost::asio::cancellation_signal cancel_;
  const std::string peer_;

  ReadBuffer in_;
  std::string out_;
  std::size_t out_at_ = 0;  ///< Bytes of out_ already sent.
  RequestParser parser_;
  Request request_;
  std::string target_;
  const Route* route_ = nullptr;

  Phase phase_ = Phase::idle;
  Stage stage_ = Stage::head;
  TimePoint now_;                     ///< Of the last event; saves clock reads.
  TimePoint deadline_ = TimePoint::max();
  TimePoint head_deadline_;
  TimePoint body_started_{};
  TimePoint request_started_{};
  TimePoint stream_watched_{};
  std::int64_t burst_ = 0;            ///< Requests answered since the last wait.
  bool open_ = true;
  bool first_request_ = true;
  bool head_begun_ = false;           ///< A byte of this request has come.
  bool closing_ = false;              ///< Close after what is in out_ was sent.
  std::size_t body_claim_ = 0;       ///< Of ServerCore::body_bytes.
  std::size_t body_claim_base_ = 0;  ///< While a body is unpacked: of the packed one.
  bool body_unread_ = false;          ///< The client may still be sending: linger, or its RST eats the answer.
  bool expired_ = false;              ///< The sweep aborted what was waited for.
  bool cancelled_ = false;            ///< cancel_ was emitted; the coroutine's state must be reset.
  bool flush_posted_ = false;
};

}  // namespace sensus::http
