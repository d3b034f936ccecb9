#include "embedded_internal.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace sensus::app {
namespace {

namespace fs = std::filesystem;
using telemetry::LogLevel;

const fs::path kServer = "/usr/bin/redis-server";

bool accepts_connections(const std::string& socket_path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) {
    return false;
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
  const bool connected = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(descriptor);
  return connected;
}

pid_t pid_of_earlier_run(const fs::path& file) {
  std::ifstream stream(file);
  pid_t pid = 0;
  stream >> pid;
  return pid;
}

LogLevel level_of(std::string_view line) {
  for (const std::string_view word : {"MISCONF", "rror", "ailed", "an't", "OOM", "Bad file format"}) {
    if (line.find(word) != std::string_view::npos) {
      return LogLevel::warning;
    }
  }
  return LogLevel::debug;
}

}  // namespace

Result<ServiceSpec> prepare_redis_blocking(const EmbeddedLayout& layout) {
  if (!fs::exists(kServer)) {
    return make_error(Errc::unavailable, kServer.string() + " is missing: install redis-server");
  }
  const fs::path pid_file = layout.redis / "redis.pid";
  SENSUS_TRY_VOID(stop_stale_blocking(Deadline::after(20s), pid_of_earlier_run(pid_file), layout.redis, SIGTERM, SIGKILL));
  const std::string socket_path = (layout.sockets / "redis.sock").string();
  ServiceSpec spec;
  spec.name = "redis";
  // Transport only: a lost second is published again from the outbox. The limit refuses writes instead of dropping entries.
  spec.child.argv = {kServer.string(),     "--port",          "0",     "--unixsocket",        socket_path,
                     "--unixsocketperm",   "700",             "--dir", layout.redis.string(), "--pidfile",
                     pid_file.string(),    "--daemonize",     "no",    "--logfile",           "",
                     "--appendonly",       "yes",             "--appendfsync", "everysec",    "--save",
                     "",                   "--maxmemory",     "256mb", "--maxmemory-policy",  "noeviction"};
  spec.child.directory = layout.redis.string();
  spec.child.user = layout.user;
  spec.child.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC", "HOME=" + layout.redis.string()};
  spec.child.death_signal = SIGTERM;
  spec.stop_signal = SIGTERM;
  spec.hard_stop_signal = SIGKILL;
  spec.ready = [socket_path](pid_t) { return accepts_connections(socket_path); };
  spec.level_of = level_of;
  return spec;
}

}  // namespace sensus::app
