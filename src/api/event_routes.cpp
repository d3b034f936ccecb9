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
       .example = "alert", .choices = {"alert", "anomaly", "analysis"}, .repeated = true},
  };
  return specs;
}

/// Everything the stream's coroutine needs after the request is gone.
struct EventStream {
  SharedSubscription subscription;
  std::vector<std::string> types;  ///< Empty: all.
  telemetry::Gauge clients;
  telemetry::Counter events;

  EventStream(SharedSubscription feed, std::vector<std::string> wanted, const State& state)
      : subscription(std::move(feed)), types(std::move(wanted)), clients(state.live_clients), events(state.live_events) {
    clients.add(1);
  }
  ~EventStream() { clients.add(-1); }
  EventStream(const EventStream&) = delete;
  EventStream& operator=(const EventStream&) = delete;
};

bool wanted(const EventStream& stream, const std::string& type) {
  return stream.types.empty() || std::find(stream.types.begin(), stream.types.end(), type) != stream.types.end();
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

/// Ends when the client or the feed is gone; the client comes back with Last-Event-ID.
runtime::Task run_events(std::shared_ptr<EventStream> stream, http::BodyWriter& writer) {
  std::string chunk = "retry: 2000\n: connected\n\n";
  while (true) {
    auto writing = writer.write(std::move(chunk));
    const auto written = co_await std::move(writing);
    if (!written) {
      co_return;
    }
    chunk.clear();
    auto waiting = stream->subscription->next(Deadline::after(kHeartbeat));
    const auto entries = co_await std::move(waiting);
    if (!entries) {
      co_return;
    }
    for (const stream::Entry& entry : *entries) {
      if (wanted(*stream, entry.event.type)) {
        append_event(chunk, entry);
        stream->events.inc();
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
    co_return http::to_response(subscription.error());
  }
  auto stream = std::make_shared<EventStream>(std::move(*subscription), query->texts("type"), state);
  http::Response response;
  response.status = 200;
  response.content_type = "text/event-stream";
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("X-Accel-Buffering", "no");  // nginx would hold events back.
  response.stream = [stream](http::BodyWriter& writer) { return run_events(stream, writer); };
  co_return response;
}

}  // namespace

Operations event_operations() {
  return {
      {.pattern = "/api/v1/events",
       .handler = stream_events,
       .id = "streamEvents",
       .tag = "events",
       .summary = "Live feed of alerts, anomalies and analyses",
       .description = "Server-sent events: `event` is alert, anomaly or analysis, `data` a JSON object, `id` what to send as Last-Event-ID after "
                      "a reconnect. A comment comes every 15 s when nothing happens. A reader that is too slow is disconnected. At "
                      "least once: after a reconnect an event may come again.",
       .params = &event_params(),
       .problems = {400, 406, 503},
       .responses = {{200, "An endless stream.", "text/event-stream", "EventStream"}}},
  };
}

}  // namespace sensus::api
