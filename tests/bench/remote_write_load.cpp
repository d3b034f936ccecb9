// Posts remote-write 1.0 requests (or JSON arrays), made beforehand, over several connections, and
// prints how many samples a second were taken.
//   remote_write_load PORT SERIES SAMPLES_PER_BODY ROUNDS FIRST_MS CONNECTIONS STEP_MS [json]
// Each series belongs to one connection and its samples are STEP_MS apart, so every receiver sees
// them in order. A third each are gauges with two decimals, counters, and nearly constant. Output:
// RESULT samples_per_s seconds bodies refused
#include "unit/codec/remote_write_writer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <snappy.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <latch>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace sensus::codec::test;

struct Plan {
  std::uint16_t port;
  std::size_t series;
  std::size_t per_body;
  std::size_t rounds;
  std::int64_t first_ms;
  std::size_t connections;
  std::int64_t step_ms;
  bool json;
};

double value_of(std::size_t series, std::size_t round, std::mt19937_64& random) {
  const auto base = static_cast<double>(series % 1000);
  switch (series % 3) {
    case 0: return std::round((base + static_cast<double>(random() % 10'000) / 100) * 100) / 100;
    case 1: return base * 1000 + static_cast<double>(round * (series % 97 + 1));
    default: return round % 50 == 49 ? base + 1 : base;
  }
}

Pairs labels_of(std::size_t series) {
  return {{"__name__", "bench_metric_" + std::to_string(series % 100)},
          {"cluster", "production-eu-1"},
          {"env", "production"},
          {"instance", "10.20." + std::to_string(series / 100) + ".7:9100"},
          {"job", "node-exporter"},
          {"zone", "eu-1-" + std::string(1, static_cast<char>('a' + series % 3))}};
}

std::string series_json(const Pairs& labels, double value, std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[96];
  std::string out = "{\"metric_name\":\"" + labels.front().second + "\",\"labels\":{";
  for (std::size_t i = 1; i < labels.size(); ++i) {
    out += (i == 1 ? "\"" : ",\"") + labels[i].first + "\":\"" + labels[i].second + "\"";
  }
  std::snprintf(text, sizeof text, "},\"metric_value\":%.10g,\"timestamp\":\"", value);
  out += text;
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  out += text;
  std::snprintf(text, sizeof text, ".%03dZ\"}", static_cast<int>(ms % 1000));
  return out + text;
}

std::string json_request_of(const std::vector<std::string>& all) {
  std::string body = "[";
  for (const std::string& one : all) {
    body += (body.size() == 1 ? "" : ",") + one;
  }
  body += "]";
  return "POST /api/v1/metrics HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
         "Content-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string request_of(const std::string& message) {
  std::string packed;
  snappy::Compress(message.data(), message.size(), &packed);
  return "POST /api/v1/write HTTP/1.1\r\nHost: bench\r\nContent-Type: "
         "application/x-protobuf\r\nContent-Encoding: snappy\r\n"
         "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: " +
         std::to_string(packed.size()) + "\r\n\r\n" + packed;
}

/// All requests of one connection, round by round.
std::vector<std::string> make_requests(const Plan& plan, std::size_t connection) {
  std::mt19937_64 random(connection);
  std::vector<std::string> out;
  const std::size_t bodies = (plan.series + plan.per_body - 1) / plan.per_body;
  for (std::size_t round = 0; round < plan.rounds; ++round) {
    const std::int64_t ms = plan.first_ms + static_cast<std::int64_t>(round) * plan.step_ms;
    for (std::size_t body = connection; body < bodies; body += plan.connections) {
      std::vector<std::string> all;
      for (std::size_t i = body * plan.per_body;
           i < std::min((body + 1) * plan.per_body, plan.series); ++i) {
        const double value = value_of(i, round, random);
        all.push_back(plan.json ? series_json(labels_of(i), value, ms)
                                : series_v1(labels_of(i), {sample(value, ms)}));
      }
      out.push_back(plan.json ? json_request_of(all) : request_of(request_v1(all)));
    }
  }
  return out;
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    die("connect");
  }
  return fd;
}

/// The status of one answer; its body is read by Content-Length.
int read_answer(int fd, std::string& buffer) {
  for (;;) {
    const std::size_t head = buffer.find("\r\n\r\n");
    if (head != std::string::npos) {
      const int status = std::atoi(buffer.c_str() + 9);
      std::size_t length = 0;
      for (const char* name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
        if (const std::size_t at = buffer.find(name); at < head) {
          length = static_cast<std::size_t>(std::atoll(buffer.c_str() + at + 18));
        }
      }
      if (buffer.size() >= head + 4 + length) {
        buffer.erase(0, head + 4 + length);
        return status;
      }
    }
    char bytes[4096];
    const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) {
      die("the connection was closed");
    }
    buffer.append(bytes, static_cast<std::size_t>(got));
  }
}

std::size_t post_all(const Plan& plan, const std::vector<std::string>& requests) {
  const int fd = connect_to(plan.port);
  std::string buffer;
  std::size_t refused = 0;
  for (const std::string& request : requests) {
    int status = 503;
    while (status == 503) {
      for (std::size_t sent = 0; sent < request.size();) {
        const ssize_t part = ::send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
        if (part <= 0) {
          die("send");
        }
        sent += static_cast<std::size_t>(part);
      }
      status = read_answer(fd, buffer);
    }
    refused += status / 100 == 2 ? 0 : 1;
  }
  ::close(fd);
  return refused;
}

}  // namespace

int main(int count, char** words) {
  if (count != 8 && count != 9) {
    std::fprintf(stderr, "usage: %s PORT SERIES SAMPLES_PER_BODY ROUNDS FIRST_MS CONNECTIONS STEP_MS [json]\n",
                 words[0]);
    return 2;
  }
  const auto number = [words](int i) {
    return static_cast<std::size_t>(std::strtoull(words[i], nullptr, 10));
  };
  const Plan plan{static_cast<std::uint16_t>(number(1)), number(2), number(3), number(4),
                  static_cast<std::int64_t>(number(5)),  number(6), static_cast<std::int64_t>(number(7)),
                  count == 9};
  std::latch made(static_cast<std::ptrdiff_t>(plan.connections) + 1);
  std::vector<std::size_t> refused(plan.connections);
  std::vector<std::size_t> bodies(plan.connections);
  std::vector<std::thread> threads;
  for (std::size_t c = 0; c < plan.connections; ++c) {
    threads.emplace_back([&, c] {
      const std::vector<std::string> requests = make_requests(plan, c);
      bodies[c] = requests.size();
      made.arrive_and_wait();
      refused[c] = post_all(plan, requests);
    });
  }
  made.arrive_and_wait();
  const auto begin = std::chrono::steady_clock::now();
  for (std::thread& thread : threads) {
    thread.join();
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::size_t all_bodies = 0;
  std::size_t all_refused = 0;
  for (std::size_t c = 0; c < plan.connections; ++c) {
    all_bodies += bodies[c];
    all_refused += refused[c];
  }
  std::printf("RESULT %.0f %.3f %zu %zu\n",
              static_cast<double>(plan.series * plan.rounds) / seconds, seconds, all_bodies,
              all_refused);
  return all_refused == 0 ? 0 : 1;
}
