#include "support/http_imposter.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace sensus::test {
namespace {

constexpr std::size_t kRequestBytesMax = 32u << 20;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_more(int fd, std::string& buffer) {
  char chunk[16384];
  const ssize_t got = ::recv(fd, chunk, sizeof chunk, 0);
  if (got <= 0 || buffer.size() > kRequestBytesMax) {
    return false;
  }
  buffer.append(chunk, static_cast<std::size_t>(got));
  return true;
}

HttpImposter::Call parse_head(std::string_view head) {
  HttpImposter::Call call;
  const std::size_t line_end = std::min(head.find("\r\n"), head.size());
  const std::string_view line = head.substr(0, line_end);
  const std::size_t first = std::min(line.find(' '), line.size());
  call.method = line.substr(0, first);
  const std::string_view rest = line.substr(std::min(first + 1, line.size()));
  call.target = rest.substr(0, rest.find(' '));
  head.remove_prefix(std::min(line_end + 2, head.size()));
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view field = head.substr(0, end);
    const std::size_t colon = field.find(':');
    if (colon != std::string_view::npos) {
      std::string_view value = field.substr(colon + 1);
      value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
      call.headers.emplace_back(std::string(field.substr(0, colon)), std::string(value));
    }
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  return call;
}

/// The next request on the connection; nullopt when it closed.
std::optional<HttpImposter::Call> read_call(int fd, std::string& buffer) {
  std::size_t head_end = buffer.find("\r\n\r\n");
  while (head_end == std::string::npos) {
    if (!receive_more(fd, buffer)) {
      return std::nullopt;
    }
    head_end = buffer.find("\r\n\r\n");
  }
  HttpImposter::Call call = parse_head(std::string_view(buffer).substr(0, head_end));
  const std::string length = call.header("content-length");
  const std::size_t body_bytes = length.empty() ? 0 : std::stoul(length);
  const std::size_t body_begin = head_end + 4;
  while (buffer.size() < body_begin + body_bytes) {
    if (!receive_more(fd, buffer)) {
      return std::nullopt;
    }
  }
  call.body = buffer.substr(body_begin, body_bytes);
  buffer.erase(0, body_begin + body_bytes);
  return call;
}

std::string render_head(const HttpImposter::Reply& reply, bool chunked) {
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + " Scripted\r\n";
  if (!reply.content_type.empty()) {
    head += "Content-Type: " + reply.content_type + "\r\n";
  }
  for (const auto& [name, value] : reply.headers) {
    head += name + ": " + value + "\r\n";
  }
  head += chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  return head + "\r\n";
}

std::string hex(std::size_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "%zx", value);
  return text;
}

}  // namespace

std::string HttpImposter::Call::header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (lower(key) == lower(name)) {
      return value;
    }
  }
  return {};
}

HttpImposter::HttpImposter() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, raw, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, raw, &size) != 0) {
    throw std::runtime_error("the imposter cannot listen on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

HttpImposter::~HttpImposter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int fd : open_) {
      ::shutdown(fd, SHUT_RDWR);
    }
  }
  stopped_.notify_all();
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  for (std::thread& worker : workers_) {
    worker.join();
  }
}

std::string HttpImposter::url() const { return "http://127.0.0.1:" + std::to_string(port_); }

void HttpImposter::when(std::string method, std::string target, Rule rule) {
  const std::lock_guard lock(mutex_);
  rules_.push_back({std::move(method), std::move(target), std::move(rule)});
}

void HttpImposter::when(std::string method, std::string target, Reply reply) {
  when(std::move(method), std::move(target), Rule([fixed = std::move(reply)](const Call&) { return fixed; }));
}

std::vector<HttpImposter::Call> HttpImposter::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::size_t HttpImposter::connections_open() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void HttpImposter::accept_loop() {
  while (!stopping_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) {
      return;
    }
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(fd);
      return;
    }
    ++accepted_;
    open_.insert(fd);
    workers_.emplace_back([this, fd] { serve(fd); });
  }
}

void HttpImposter::serve(int fd) {
  std::string buffer;
  bool keep = true;
  while (keep && !stopping_) {
    std::optional<Call> call = read_call(fd, buffer);
    if (!call) {
      break;
    }
    const Reply reply = reply_to(*call);
    keep = answer(fd, reply, lower(call->header("connection")) != "close");
  }
  const std::lock_guard lock(mutex_);
  open_.erase(fd);
  ::close(fd);
}

HttpImposter::Reply HttpImposter::reply_to(const Call& call) {
  Rule rule;
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(call);
    const auto found = std::find_if(rules_.rbegin(), rules_.rend(), [&call](const Entry& entry) {
      return entry.method == call.method && (entry.target == call.target || entry.target == "*");
    });
    if (found != rules_.rend()) {
      rule = found->rule;
    }
  }
  return rule ? rule(call) : Reply{404, R"({"error":"no rule"})"};
}

bool HttpImposter::pause(std::chrono::milliseconds d) {
  std::unique_lock lock(mutex_);
  return !stopped_.wait_for(lock, d, [this] { return stopping_.load(); });
}

bool HttpImposter::answer(int fd, const Reply& reply, bool keep_alive) {
  const std::string_view body = reply.body;
  if (reply.shape != Shape::trickle && !pause(reply.delay)) {
    return false;
  }
  switch (reply.shape) {
    case Shape::whole:
      return send_all(fd, render_head(reply, false) + reply.body) && keep_alive;
    case Shape::cut:
      send_all(fd, render_head(reply, false));
      send_all(fd, body.substr(0, body.size() / 2));
      return false;
    case Shape::endless: {
      const std::string chunk = hex(body.size()) + "\r\n" + reply.body + "\r\n";
      bool sent = send_all(fd, render_head(reply, true));
      while (sent && !stopping_) {
        sent = send_all(fd, chunk);
      }
      return false;
    }
    case Shape::trickle: {
      bool sent = send_all(fd, render_head(reply, false));
      for (std::size_t i = 0; sent && i < body.size(); ++i) {
        sent = pause(reply.delay) && send_all(fd, body.substr(i, 1));
      }
      return sent && keep_alive;
    }
    case Shape::silent: {
      // Until the client lets go, or the imposter stops and shuts the socket.
      char byte = 0;
      while (::recv(fd, &byte, 1, 0) > 0) {
      }
      return false;
    }
    case Shape::hang_up:
      return false;
    case Shape::raw:
      send_all(fd, body);
      return false;
  }
  return false;
}

}  // namespace sensus::test
