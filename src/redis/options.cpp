#include "sensus/config/section.hpp"
#include "sensus/redis/client.hpp"

namespace sensus::redis {

void describe(config::Section& section, Options& options) {
  section.string("socket", options.socket,
                 "Path of Redis' Unix socket. When set, host and port are not used.");
  section.string("host", options.host, "Host name or address of Redis.");
  section.integer("port", options.port, 1, 65'535, "TCP port of Redis.");
  section.string("user", options.user,
                 "ACL user. Empty: the default user, with the password alone.");
  section.secret("password", options.password, "Password for AUTH. Empty: no AUTH is sent.");
  section.integer("database", options.database, 0, 65'535, "Database number for SELECT.");
  section.duration("connect_timeout", options.connect_timeout, std::chrono::milliseconds{100},
                   std::chrono::minutes{1},
                   "Limit of one attempt to resolve, connect and authenticate.");
  section.duration("command_timeout", options.command_timeout, std::chrono::milliseconds{100},
                   std::chrono::minutes{1},
                   "Longest wait for the reply to a command that does not block by itself. A "
                   "caller may set a shorter one.");
}

}  // namespace sensus::redis
