#pragma once

#include "sensus/core/byte_size.hpp"
#include "sensus/http/router.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::http {

struct Options {
  std::vector<std::string> listen = {"127.0.0.1:8080"};  ///< host:port; port 0 = any free one; [::1]:8080 for IPv6.
  std::int64_t connections_max = 4096;
  ByteSize body_memory = 128_MiB;  ///< Of bodies over all connections, announced or arrived; beyond it 503.
  ByteSize header_limit = 16_KiB;
  std::int64_t header_count_max = 100;
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};   ///< Plus a second for each MiB announced.
  std::chrono::milliseconds write_timeout{30'000};
  std::chrono::milliseconds idle_timeout{120'000};
  std::string access_log = "refused";               ///< "refused", "sampled" or "all".
  std::int64_t pipeline_max = 64;                   ///< Requests answered back to back before yielding to others.
};
void describe(config::Section& section, Options& options);

/// HTTP/1.1 on the reactor: keep-alive, pipelining in order, chunked, gzip responses, Expect: 100-continue, and the framing guard that
/// the parser lacks (docs/architecture.md lists what is refused). Every refusal is a problem with a request id. Beast stays inside.
/// **Lifetime**: router and metrics outlive the server; `stop` before destruction.
class Server {
 public:
  Server(runtime::Executor executor, Options options, const Router& router, telemetry::Log log, telemetry::Metrics& metrics);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Binds and begins to accept. `unavailable` names the address and what to do when it is in use.
  [[nodiscard]] Result<> listen();
  /// "host:port" of each bound socket.
  [[nodiscard]] std::vector<std::string> local_endpoints() const;
  /// Stops accepting; requests in flight are answered with Connection: close; idle connections close at once; streams end; what is left
  /// at the deadline is cut.
  [[nodiscard]] runtime::Async<> stop(Deadline deadline);
  [[nodiscard]] std::size_t connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::http
