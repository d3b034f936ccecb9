#pragma once

#include "sensus/http/message.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace sensus::http {

struct Route {
  Method method = Method::get;
  std::string pattern;                       ///< "/api/v1/alerts/{id}"; a {name} matches one segment.
  Handler handler;
  std::size_t body_limit = 64 * 1024;        ///< 413 beyond it, before the body is read when Content-Length tells.
  std::vector<std::string> content_types = {};  ///< Accepted for the body (415 otherwise); empty = any.
  /// Content-Encodings of the body beside identity (415 otherwise). `gzip` is undone before the handler, which then sees identity; what
  /// comes out is under body_limit as well. Any other is the handler's own: it gets the body as it came.
  std::vector<std::string> content_encodings = {};
  std::vector<std::string> produces = {};       ///< 406 when Accept allows none of them; empty = no check.
  Duration deadline = std::chrono::seconds{5};  ///< Of the handler; streams are exempt.
  bool probe = false;  ///< Its 503 is an answer, not a failure: logged at debug, not counted as an error.
  /// Says in a protocol's own words, or with its headers, what the server answers in the handler's stead (a problem response):
  /// 400, 406, 408, 413, 415, 417, 500, 503. Empty = as it is.
  std::function<Response(const Request&, Response)> refusal = {};
};

/// Exact segments win over {name}. GET also answers HEAD. **Threading**: filled at start, then read only.
class Router {
 public:
  /// A bug, checked: the same method and pattern twice, a pattern that does not begin with "/", no handler.
  void add(Route route);
  struct NotFound {};
  struct MethodNotAllowed {
    std::string allow;  ///< "GET, HEAD, POST"
  };
  struct Match {
    const Route* route = nullptr;
    std::vector<std::pair<std::string, std::string>> path_params;
  };
  [[nodiscard]] std::variant<Match, NotFound, MethodNotAllowed> find(Method method, std::string_view path) const;
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  /// The pattern of one path with the routes of its methods, as indices into routes_.
  struct Entry {
    std::vector<std::string> segments;
    std::vector<std::size_t> routes;
  };
  struct PathHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view path) const { return std::hash<std::string_view>{}(path); }
  };
  [[nodiscard]] const Route* pick(const Entry& entry, Method method) const;

  std::vector<Route> routes_;
  std::unordered_map<std::string, Entry, PathHash, std::equal_to<>> exact_;
  std::vector<Entry> with_params_;  ///< Most specific first.
};

}  // namespace sensus::http
