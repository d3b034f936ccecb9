#include "sensus/config/section.hpp"
#include "sensus/http/server.hpp"

namespace sensus::http {

void describe(config::Section& section, Options& options) {
  section.strings("listen", options.listen,
                  "Addresses to listen on, host:port. Port 0 takes any free one; [::1]:8080 is IPv6.");
  section.integer("connections_max", options.connections_max, 1, 1'000'000,
                  "Connections open at once. One more is answered 503 and closed.");
  section.size("body_memory", options.body_memory, 1_MiB, 65536_MiB,
               "Memory for request bodies over all connections. A request whose body does not fit beside the others is answered 503 "
               "before it is read; a single larger one is taken when there is no other.");
  section.size("header_limit", options.header_limit, 1_KiB, 1_MiB,
               "Size of a request's head (request line and header fields). Beyond it: 431.");
  section.integer("header_count_max", options.header_count_max, 8, 10'000,
                  "Number of header fields in a request. Beyond it: 431.");
  section.duration("header_timeout", options.header_timeout, 10ms, 10min,
                   "Time to send a request's head, from its first byte, or from the connection for the first request.");
  section.duration("body_timeout", options.body_timeout, 10ms, 1h,
                   "Time to send a request's body, plus one second for each MiB of it.");
  section.duration("write_timeout", options.write_timeout, 10ms, 1h,
                   "Time for the client to take a response or a part of a stream, plus one second for each MiB.");
  section.duration("idle_timeout", options.idle_timeout, 10ms, 24h,
                   "A connection without a request is closed after this long.");
  section.integer("pipeline_max", options.pipeline_max, 1, 10'000,
                  "Pipelined requests of one connection answered before the others get their turn.");
  section.choice("access_log", options.access_log, {"refused", "sampled", "all"},
                 "Which requests get a line at info, with peer, request id and trace id: those that were refused or failed; also one in "
                 "30s of each route that went well; or every one but probes. At log.level debug all are shown.");
}

}  // namespace sensus::http
