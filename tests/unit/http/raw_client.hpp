#pragma once

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::http::test {

struct RawResponse {
  int status = 0;
  std::string head;
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;

  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

/// A blocking socket that sends exactly what it is told. Every receive gives up after 10 s.
class RawClient {
 public:
  explicit RawClient(unsigned short port, int receive_buffer = 0) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(0, ::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to)) << "connect to " << port;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  /// False when the server closed meanwhile.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) {
        return false;
      }
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// One response; status 0 when the connection ended first.
  RawResponse read(bool head_only = false) {
    RawResponse response;
    if (!fill_until("\r\n\r\n")) {
      return response;
    }
    const auto head_end = buffer_.find("\r\n\r\n") + 4;
    response.head = buffer_.substr(0, head_end);
    buffer_.erase(0, head_end);
    parse_head(response);
    if (head_only || response.status < 200 || response.status == 204) {
      return response;
    }
    if (response.header("transfer-encoding") == "chunked") {
      for (std::string chunk = read_chunk(); !chunk.empty(); chunk = read_chunk()) {
        response.body += chunk;
      }
    } else if (!response.header("content-length").empty()) {
      const auto length = std::strtoul(response.header("content-length").c_str(), nullptr, 10);
      while (buffer_.size() < length && receive()) {
      }
      response.body = buffer_.substr(0, length);
      buffer_.erase(0, length);
    }
    return response;
  }

  RawResponse ask(std::string_view request) {
    send(request);
    return read();
  }

  /// One chunk of a chunked body; empty at its end or when the connection ended.
  std::string read_chunk() {
    if (!fill_until("\r\n")) {
      return "";
    }
    const auto line_end = buffer_.find("\r\n");
    const auto size = std::strtoul(buffer_.substr(0, line_end).c_str(), nullptr, 16);
    while (buffer_.size() < line_end + 4 + size && receive()) {
    }
    std::string chunk = buffer_.substr(line_end + 2, size);
    buffer_.erase(0, line_end + 4 + size);
    return chunk;
  }

  /// Everything until the server closes.
  std::string read_all() {
    while (receive()) {
    }
    return std::exchange(buffer_, {});
  }

  /// True when the server closes in an orderly way and sends nothing more.
  bool closed() {
    const bool more = receive();
    return !more && buffer_.empty() && !reset_ && !timed_out_;
  }

  void shutdown_send() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) {
      ::close(std::exchange(fd_, -1));
    }
  }

 private:
  bool receive() {
    char bytes[16384];
    const auto got = ::recv(fd_, bytes, sizeof bytes, 0);
    reset_ = got < 0 && errno == ECONNRESET;
    timed_out_ = got < 0 && errno == EAGAIN;
    EXPECT_FALSE(timed_out_) << "nothing came for 10 s; so far: " << buffer_;
    if (got <= 0) {
      return false;
    }
    buffer_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }

  bool fill_until(std::string_view mark) {
    while (buffer_.find(mark) == std::string::npos) {
      if (!receive()) {
        return false;
      }
    }
    return true;
  }

  static void parse_head(RawResponse& response) {
    response.status = std::atoi(response.head.c_str() + 9);
    std::size_t at = response.head.find("\r\n") + 2;
    while (at + 2 < response.head.size()) {
      const auto end = response.head.find("\r\n", at);
      const std::string line = response.head.substr(at, end - at);
      const auto colon = line.find(": ");
      std::string name = line.substr(0, colon);
      for (char& c : name) {
        c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
      }
      EXPECT_FALSE(response.headers.contains(name)) << "twice: " << line;
      response.headers[name] = line.substr(colon + 2);
      at = end + 2;
    }
  }

  int fd_;
  std::string buffer_;
  bool reset_ = false;
  bool timed_out_ = false;
};

}  // namespace sensus::http::test
