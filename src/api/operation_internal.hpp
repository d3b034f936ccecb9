#pragma once

#include "otlp_state_internal.hpp"
#include "query_params_internal.hpp"
#include "read_seats_internal.hpp"

#include "sensus/api/router.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::api {

struct RemoteWriteCounters {
  telemetry::Counter bodies_rejected;
  telemetry::Counter samples_refused;
  telemetry::Counter stale_markers;
  telemetry::Counter histograms_skipped;
  telemetry::Counter exemplars_skipped;
};
[[nodiscard]] RemoteWriteCounters make_remote_write_counters(telemetry::Metrics& metrics);

/// What the handlers share. **Lifetime**: held by the routes of one router. **Threading**: reactor.
struct State {
  Deps deps;
  Options options;
  std::string openapi;  ///< Rendered once, when all routes are known.
  telemetry::Counter metrics_rejected;
  telemetry::Counter import_rejected;
  telemetry::Counter alerts_rejected;
  telemetry::Counter metadata_refused;
  telemetry::Counter import_exemplars;
  OtlpState otlp;
  RemoteWriteCounters remote_write;
  std::unique_ptr<ReadSeats> read_seats;
};

using Reply = boost::asio::awaitable<http::Response>;
/// A named coroutine; both referents outlive it (the router's state, the session's request).
using OperationHandler = std::function<Reply(State& state, http::Request& request)>;

struct ResponseDoc {
  int status = 200;
  std::string_view description;
  std::string_view content_type = {};  ///< Empty: no body.
  std::string_view schema = {};        ///< Name in components.json.
};

enum class BodyLimit { none, ingest };

/// One route and its description: the router and /openapi.json are both made from this table, so they cannot differ.
struct Operation {
  http::Method method = http::Method::get;
  std::string_view pattern;
  OperationHandler handler = nullptr;
  std::string_view id;
  std::string_view tag;
  std::string_view summary;
  std::string_view description = {};
  const ParamSpecs* params = nullptr;  ///< Null: the query is ignored. Empty: any parameter is refused.
  bool reads_samples = false;          ///< Takes one of State::read_seats for as long as it runs.
  std::string_view body_schema = {};
  std::vector<std::string_view> body_examples = {};  ///< Keys into `examples` of components.json.
  BodyLimit body_limit = BodyLimit::none;
  bool probe = false;  ///< See http::Route::probe.
  std::string_view body_type = "application/json";
  bool any_body_type = false;             ///< body_type is what it should be; others are read as it.
  std::string_view body_encoding = {};    ///< A Content-Encoding that is taken beside identity.
  std::string_view protobuf_schema = {};  ///< Not empty: the body may be application/x-protobuf as well.
  /// Says what the server refuses by itself in the protocol's words.
  http::Response (*refusal)(const http::Request&, http::Response) = nullptr;
  /// Statuses of problems that the route can answer, beside those that every route can.
  std::vector<int> problems = {};
  std::vector<ResponseDoc> responses;
};
using Operations = std::vector<Operation>;

[[nodiscard]] Operations ingest_operations();
[[nodiscard]] Operations otlp_operations();
[[nodiscard]] Operations remote_write_operations();
[[nodiscard]] Operations remote_read_operations();
[[nodiscard]] Operations alert_operations();
[[nodiscard]] Operations analysis_operations();
[[nodiscard]] Operations model_operations();
[[nodiscard]] Operations forecast_operations();
[[nodiscard]] Operations series_operations();
[[nodiscard]] Operations metadata_operations();
[[nodiscard]] Operations event_operations();
[[nodiscard]] Operations health_operations();
[[nodiscard]] Operations docs_operations();
/// All of them, in the order in which the document shows them.
[[nodiscard]] const Operations& all_operations();

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kProblemJson = "application/problem+json";
inline constexpr std::string_view kProtobuf = "application/x-protobuf";

/// A refused body is final for every sender (no 4xx is retried), so it is loud: the sender's own log may be the only other trace.
[[nodiscard]] http::Response refuse_body(const State& state, const http::Request& request, const telemetry::Counter& counter,
                                         std::string_view what, const Error& error);

/// For senders of samples of which not all were stored: the tenant may have no more active series. Final, and the rest is stored.
[[nodiscard]] Error series_limit_error(std::size_t sent, std::size_t stored);
/// Hands on what a body says about its metrics; `refused` entries were damaged.
void note_metadata(const State& state, const model::MetadataBatch& batch, std::size_t refused);

/// From here on reading a body would hold the reactor for milliseconds: it is done on the parse pool.
inline constexpr std::size_t kParseAside = 1024 * 1024;
/// True for errors of the parse pool, which are no fault of the body: 503, and not counted as a refused body.
[[nodiscard]] bool is_ours(const Error& error);

/// Reads the body with `parse`, which may run on another thread and so keeps what it needs by value. **Post**: a large body was moved
/// out of the request.
template <class T>
runtime::Async<T> parse_body(State& state, http::Request& request, std::function<Result<T>(const std::string&)> parse,
                             std::size_t aside_min = kParseAside) {
  if (state.deps.parse_pool == nullptr || request.body.size() < aside_min) {
    co_return parse(request.body);
  }
  auto body = std::make_shared<const std::string>(std::move(request.body));
  std::function<Result<T>(runtime::JobContext&)> job = [body = std::move(body), parse = std::move(parse)](runtime::JobContext&) {
    return parse(*body);
  };
  auto parsing = state.deps.parse_pool->submit<T>(request.deadline, std::move(job));
  Result<T> parsed = co_await std::move(parsing);
  co_return parsed;
}

/// JSON that must not be cached.
[[nodiscard]] http::Response reply_json(int status, std::string body);
/// {"items":[...],"next_cursor":...}
template <class T, class Render>
[[nodiscard]] http::Response reply_page(const storage::Page<T>& page, Render render);
[[nodiscard]] std::string render_next_cursor(const std::optional<model::PageKey>& next);

template <class T, class Render>
http::Response reply_page(const storage::Page<T>& page, Render render) {
  std::string body = "{\"items\":[";
  for (const T& entry : page.items) {
    if (body.back() != '[') {
      body += ',';
    }
    body += render(entry);
  }
  body += "],\"next_cursor\":" + render_next_cursor(page.next) + "}";
  return reply_json(200, std::move(body));
}

}  // namespace sensus::api
