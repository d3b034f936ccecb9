#include "operation_internal.hpp"

#include <algorithm>
#include <memory>

namespace sensus::api {
namespace {

using SharedSubscription = std::shared_ptr<stream::LiveFeed::Subscription>;

/// Proxies and browsers give up on a silent connection after 30 to 60 s.
constexpr std::chrono::seconds kHeartbeat{15};

const ParamSpecs& event_params() {
  static const ParamSpecs specs = {
      {.name = "last_event_id",
       .help = "Id of the last event seen: what came after it is sent first, as far as it is kept. The header Last-Event-ID, which "
               "browsers send on a reconnect, wins.",
       .example = "1763629200000-0", .max = 64},
      {.name = "type", .kind = ParamKind::choice, .help = "Only events of this type; repeat it for several.",
       .example = "alert", .choices = {"alert", "anomaly", "analysis", "job"}, .repeated = true},
  };
  return specs;
}

bool wanted(const std::vector<std::string>& types, const std::string& type) {
  return types.empty() || std::find(types.begin(), types.end(), type) != types.end();
}

/// WHATWG server-sent events: one `data:` line a line of payload.
void append_event(std::string& out, const stream::Entry& entry) {
  out += "id: " + entry.stream_id + "\nevent: " + entry.event.type + "\n";
  std::string_view rest = entry.event.payload;
  while (true) {
    const auto end = rest.find('\n');
    out += "data: ";
    out += rest.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) {
      break;
    }
    rest.remove_prefix(end + 1);
  }
  out += '\n';
}

/// Ends when the client or the feed is gone; the client comes back with Last-Event-ID. No `types` = all of them.
runtime::Task run_events(SharedSubscription subscription, std::vector<std::string> types, http::BodyWriter& writer) {
  std::string chunk = "retry: 2000\n: connected\n\n";
  while (true) {
    auto writing = writer.write(std::move(chunk));
    const auto written = co_await std::move(writing);
    if (!written) {
      co_return;
    }
    chunk.clear();
    auto waiting = subscription->next(Deadline::after(kHeartbeat));
    const auto entries = co_await std::move(waiting);
    if (!entries) {
      co_return;
    }
    for (const stream::Entry& entry : *entries) {
      if (wanted(types, entry.event.type)) {
        append_event(chunk, entry);
      }
    }
    if (chunk.empty()) {
      chunk = ": heartbeat\n\n";
    }
  }
}

std::optional<std::string> last_event_id(const http::Request& request, const QueryParams& query) {
  const std::string_view header = request.headers.get("last-event-id");
  if (!header.empty()) {
    return std::string(header);
  }
  std::string param = query.text("last_event_id");
  return param.empty() ? std::nullopt : std::optional(std::move(param));
}

Reply stream_events(State& state, const http::Request& request) {
  const auto query = QueryParams::parse(request, event_params());
  if (!query) {
    co_return http::to_response(query.error());
  }
  auto subscribing = state.deps.subscribe(request.deadline, last_event_id(request, *query));
  auto subscription = co_await std::move(subscribing);
  if (!subscription) {
    Error error = std::move(subscription).error();
    if (error.code == Errc::invalid_input) {
      error.field = request.headers.contains("last-event-id") ? "Last-Event-ID" : "last_event_id";
    }
    co_return http::to_response(error);
  }
  const SharedSubscription shared = std::move(*subscription);
  std::vector<std::string> types = query->texts("type");
  http::Response response;
  response.status = 200;
  response.content_type = "text/event-stream";
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Accel-Buffering", "no");  // nginx would hold events back.
  response.stream = [shared, types = std::move(types)](http::BodyWriter& writer) {
    return run_events(shared, types, writer);
  };
  co_return response;
}

}  // namespace

Operations event_operations() {
  return {
      {.pattern = "/api/v1/events",
       .handler = stream_events,
       .id = "streamEvents",
       .tag = "events",
       .summary = "Live feed of alerts, anomalies, analyses and jobs",
       .description = "Server-sent events: `event` is alert, anomaly, analysis or job, `data` a JSON object, `id` what to send as Last-Event-ID after "
                      "a reconnect. A comment comes every 15 s when nothing happens. A reader that is too slow is disconnected. At "
                      "least once: after a reconnect an event may come again.",
       .params = &event_params(),
       .problems = {400, 406, 503},
       .responses = {{200, "An endless stream.", "text/event-stream", "EventStream"}}},
  };
}

}  // namespace sensus::api
