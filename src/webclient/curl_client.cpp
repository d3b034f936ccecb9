#include "sensus/webclient/client.hpp"

#include "sensus/core/assert.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string_view>

namespace sensus::webclient {
namespace {

constexpr std::size_t kHeaderBytesMax = 64 * 1024;
constexpr std::size_t kIdleBytesPerSecondMin = 16;

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct SlistDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using Slist = std::unique_ptr<curl_slist, SlistDeleter>;

/// One easy handle a worker; a worker touches only its own, so no lock.
using Handles = std::vector<Easy>;

/// What the callbacks of one transfer share. Lives on the worker's stack; only `cancelled` is touched by others.
struct Transfer {
  std::size_t body_limit = 0;
  std::size_t header_bytes = 0;
  std::string body;
  std::chrono::milliseconds idle_limit{0};
  bool over_limit = false;
  bool idle = false;
  bool begun = false;
  std::size_t window_bytes = 0;
  std::chrono::steady_clock::time_point window_start;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);

  void note_bytes(std::size_t count) {
    if (!begun) {
      begun = true;
      window_start = std::chrono::steady_clock::now();
    }
    window_bytes += count;
  }
  /// True when the window that ends now brought next to nothing.
  bool check_idle() {
    const auto now = std::chrono::steady_clock::now();
    if (!begun || now - window_start < idle_limit) {
      return false;
    }
    const auto least = static_cast<std::size_t>(idle_limit.count()) * kIdleBytesPerSecondMin / 1000;
    idle = window_bytes < std::max<std::size_t>(least, 1);
    window_bytes = 0;
    window_start = now;
    return idle;
  }
};

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t total = size * count;
  transfer.note_bytes(total);
  if (total > transfer.body_limit - transfer.body.size()) {
    transfer.over_limit = true;
    return CURL_WRITEFUNC_ERROR;
  }
  transfer.body.append(bytes, total);
  return total;
}

std::size_t on_header(char* /*bytes*/, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t total = size * count;
  transfer.note_bytes(total);
  transfer.header_bytes += total;
  if (transfer.header_bytes > kHeaderBytesMax) {
    transfer.over_limit = true;
    return CURL_WRITEFUNC_ERROR;
  }
  return total;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  return transfer.cancelled->load() || transfer.check_idle() ? 1 : 0;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string url_part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  std::string out;
  if (curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK) {
    out = text;
  }
  curl_free(text);
  return out;
}

/// "host:port" of an acceptable request, else invalid_input.
Result<std::string> check_request(const OutRequest& request) {
  if (request.method.empty() || has_control(request.method) || request.method.find(' ') != std::string::npos) {
    return make_error(Errc::invalid_input, "not an HTTP method", "method");
  }
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || has_control(name) || has_control(value) || name.find_first_of(": ") != std::string::npos) {
      return make_error(Errc::invalid_input, "a header with a line break, control character or bad name", "headers");
    }
  }
  const std::unique_ptr<CURLU, UrlDeleter> url(curl_url());
  if (has_control(request.url) || !url ||
      curl_url_set(url.get(), CURLUPART_URL, request.url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return make_error(Errc::invalid_input, "not a URL; expected http://host:port/path", "url");
  }
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return make_error(Errc::invalid_input, "scheme '" + scheme + "' is not allowed; use http or https", "url");
  }
  return url_part(url.get(), CURLUPART_HOST) + ":" + url_part(url.get(), CURLUPART_PORT);
}

void set_method(CURL* easy, const OutRequest& request) {
  if (request.method == "GET" && request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    return;
  }
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  curl_easy_setopt(easy, CURLOPT_POST, 1L);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  if (request.method != "POST") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

Slist make_header_list(const OutRequest& request) {
  // "Expect:" switches off libcurl's wait for 100 Continue.
  Slist list(curl_slist_append(nullptr, "Expect:"));
  for (const auto& [name, value] : request.headers) {
    // "Name;" is libcurl's form of a header without a value.
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    if (curl_slist* grown = curl_slist_append(list.get(), line.c_str()); grown != nullptr) {
      list.release();
      list.reset(grown);
    }
  }
  return list;
}

void set_guards(CURL* easy, const OutRequest& request, std::chrono::milliseconds time_left) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  const auto total_ms = std::clamp<std::int64_t>(time_left.count(), 1, 24 * 3'600'000);
  const auto connect_ms = std::clamp<std::int64_t>(request.connect_timeout.count(), 1, total_ms);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(total_ms));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
  curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request.response_limit.bytes));
}

void set_callbacks(CURL* easy, Transfer& transfer) {
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &transfer);
}

Error failure_of(CURLcode code, const Transfer& transfer, const OutRequest& request, const std::string& host) {
  if (transfer.over_limit || code == CURLE_FILESIZE_EXCEEDED) {
    return make_error(Errc::too_large, "the answer of " + host + " is over " + render_byte_size(request.response_limit));
  }
  if (transfer.cancelled->load()) {
    return make_error(Errc::cancelled, "the call to " + host + " was cancelled");
  }
  if (transfer.idle) {
    return make_error(Errc::timeout, host + " stopped in the middle of its answer");
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return make_error(Errc::timeout, host + " did not answer in time");
  }
  return make_error(Errc::unavailable, host + ": " + curl_easy_strerror(code));
}

Result<OutResponse> perform_blocking(runtime::JobContext& context, CURL* easy, const OutRequest& request) {
  SENSUS_TRY(const std::string host, check_request(request));
  const Deadline deadline = context.deadline();
  if (deadline.expired()) {
    return make_error(Errc::timeout, "no time was left to call " + host);
  }
  Transfer transfer;
  transfer.body_limit = request.response_limit.bytes;
  transfer.idle_limit = std::max(request.idle_limit, std::chrono::milliseconds{1});
  const std::function<void()> cut = [cancelled = transfer.cancelled] { cancelled->store(true); };
  context.on_cancel(cut);

  curl_easy_reset(easy);  // Keeps live connections, DNS and TLS session caches.
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  set_guards(easy, request, std::chrono::duration_cast<std::chrono::milliseconds>(deadline.remaining()));
  set_callbacks(easy, transfer);
  set_method(easy, request);
  const Slist headers = make_header_list(request);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());

  const CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) {
    return failure_of(code, transfer, request, host);
  }
  OutResponse response;
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  const char* content_type = nullptr;
  curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
  if (content_type != nullptr) {
    response.content_type = content_type;
  }
  response.body = std::move(transfer.body);
  return response;
}

class CurlClient final : public Client {
 public:
  explicit CurlClient(runtime::BlockingPool& pool)
      : pool_(pool), handles_(std::make_shared<Handles>(pool.threads())) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    SENSUS_ASSERT(ready == CURLE_OK);
  }

  runtime::Async<OutResponse> send(Deadline deadline, OutRequest request) override {
    // The job may outlive this client's caller: it shares the handles and owns the request.
    std::function<Result<OutResponse>(runtime::JobContext&)> job =
        [handles = handles_, wanted = std::move(request)](runtime::JobContext& context) -> Result<OutResponse> {
      Easy& easy = handles->at(context.worker());
      if (!easy) {
        easy.reset(curl_easy_init());
      }
      if (!easy) {
        return make_error(Errc::internal, "libcurl made no handle");
      }
      return perform_blocking(context, easy.get(), wanted);
    };
    return pool_.submit<OutResponse>(deadline, std::move(job));
  }

 private:
  runtime::BlockingPool& pool_;
  std::shared_ptr<Handles> handles_;
};

}  // namespace

std::unique_ptr<Client> make_curl_client(runtime::BlockingPool& pool) {
  return std::make_unique<CurlClient>(pool);
}

}  // namespace sensus::webclient
