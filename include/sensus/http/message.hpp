#pragma once

#include "sensus/core/deadline.hpp"
#include "sensus/runtime/async.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::http {

enum class Method { get, head, post, put, patch, del, options, other };
[[nodiscard]] std::string_view to_string(Method method);

/// Name/value pairs in order of arrival; names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value);
  /// Replaces the first field of that name, or adds one.
  void set(std::string_view name, std::string value);
  /// The first value, or "".
  [[nodiscard]] std::string_view get(std::string_view name) const;
  [[nodiscard]] bool contains(std::string_view name) const;
  /// The values of all fields of that name joined by ", ", as RFC 9110 5.3 reads them.
  [[nodiscard]] std::string get_joined(std::string_view name) const;
  [[nodiscard]] bool empty() const { return pairs_.empty(); }
  [[nodiscard]] std::size_t size() const { return pairs_.size(); }
  void clear() { pairs_.clear(); }
  [[nodiscard]] auto begin() const { return pairs_.begin(); }
  [[nodiscard]] auto end() const { return pairs_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

/// A complete request. `path` is percent-decoded and normalised; `query` is decoded, in order. Owned by the session for as long as the
/// handler runs, so handlers take it by reference; one that hands the body to another thread moves it out.
struct Request {
  Method method = Method::get;
  std::string method_text;
  std::string path;
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::pair<std::string, std::string>> path_params;  ///< `{id}` of the route.
  Headers headers;
  std::string body;
  std::string peer;          ///< Address of the connection.
  std::string id;            ///< X-Request-Id given (if sane) or made.
  std::string trace_id;      ///< From a valid traceparent, else new; 32 hex digits.
  std::string route;         ///< Pattern of the matched route; metric label.
  Deadline deadline = Deadline::never();

  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> query_values(std::string_view name) const;
  [[nodiscard]] std::string_view path_param(std::string_view name) const;
};

/// What a streaming handler writes to (SSE). `write` waits for the socket, so a slow reader holds back its own producer only; it
/// fails when the client is gone, the write deadline passes, or the server drains.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  [[nodiscard]] virtual runtime::Async<> write(std::string chunk) = 0;
};

struct Response {
  int status = 200;
  std::string content_type;
  Headers headers;
  std::string body;
  /// When set, the body is produced chunk by chunk until it returns; `body` is ignored. It runs on the session's coroutine.
  std::function<runtime::Task(BodyWriter&)> stream;

  [[nodiscard]] static Response json(int status, std::string body);
  [[nodiscard]] static Response text(int status, std::string body);
  [[nodiscard]] static Response empty(int status);
  /// RFC 9457 application/problem+json with type, title, status, detail, code, and, when given, field.
  [[nodiscard]] static Response problem(int status, std::string_view code, std::string_view title,
                                        std::string_view detail, std::string_view field = {});
};

/// The one translation of an Error into an answer: status and title from `traits_of`, Retry-After with every 503.
[[nodiscard]] Response to_response(const Error& error);

using Handler = std::function<boost::asio::awaitable<Response>(Request&)>;

}  // namespace sensus::http
