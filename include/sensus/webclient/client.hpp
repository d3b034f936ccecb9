#pragma once

#include "sensus/core/byte_size.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/runtime/blocking_pool.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sensus::webclient {

struct OutRequest {
  std::string method = "GET";
  std::string url;  ///< http or https.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  ByteSize response_limit = 256_KiB;
  std::chrono::milliseconds connect_timeout{3000};
  /// Once the answer has begun: the longest stretch with hardly a byte (under 16 a second). Before that only the deadline counts, since
  /// an LLM is silent for minutes.
  std::chrono::milliseconds idle_limit{10'000};
};

struct OutResponse {
  int status = 0;
  std::string content_type;
  std::string body;
};

/// Outgoing HTTP. Any status is a response; an Error means there was none: `unavailable` (resolve, connect, TLS, cut), `timeout`
/// (deadline, connect timeout, idle_limit), `too_large` (over response_limit, connection closed), `cancelled`, `invalid_input` (a URL
/// that is not http or https, a line break in method or header). Messages name host and port, never the URL: it may hold a secret.
class Client {
 public:
  virtual ~Client() = default;
  [[nodiscard]] virtual runtime::Async<OutResponse> send(Deadline deadline, OutRequest request) = 0;
};

/// libcurl on `pool`. No redirects, no proxies from the environment, http and https only, no signals.
/// **Lifetime**: the pool outlives the client.
[[nodiscard]] std::unique_ptr<Client> make_curl_client(runtime::BlockingPool& pool);

}  // namespace sensus::webclient
