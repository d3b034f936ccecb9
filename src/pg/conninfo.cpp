#include "pg/conninfo_internal.hpp"

#include "pg/sqlstate_internal.hpp"
#include "sensus/config/reader.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <map>
#include <memory>

namespace sensus::pg {
namespace {

using Keys = std::map<std::string, std::string>;

struct FreeOptions {
  void operator()(PQconninfoOption* p) const { PQconninfoFree(p); }
};

std::string quote(const std::string& value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out + "'";
}

/// libpq quotes what it could not read: that may be the whole URL, password and all.
std::string without_quoted(std::string text) {
  const std::size_t first = text.find('"');
  const std::size_t last = text.rfind('"');
  if (first != std::string::npos) {
    text.replace(first, last - first + 1, "...");
  }
  return text;
}

Result<Keys> parse_keys(const std::string& url) {
  char* message = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(
      PQconninfoParse(url.c_str(), &message));
  if (!parsed) {
    const std::string why = message != nullptr ? first_line(without_quoted(message)) : std::string("out of memory");
    PQfreemem(message);
    return make_error(Errc::invalid_input, "not a PostgreSQL connection string: " + why,
                      "database.url");
  }
  Keys keys;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) {
      keys[option->keyword] = option->val;
    }
  }
  return keys;
}

std::string server_settings(const Options& options) {
  // client_connection_check_interval: the server gives up a statement whose client was cut off.
  // plan_cache_mode: one plan for all values of optional filters reads whole tables.
  return "-c search_path=sensus,public -c plan_cache_mode=force_custom_plan -c TimeZone=UTC -c DateStyle=ISO -c bytea_output=hex -c "
         "extra_float_digits=1"
         " -c client_min_messages=error -c jit=off -c statement_timeout=" +
         std::to_string(options.statement_timeout.count()) +
         " -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000 -c "
         "client_connection_check_interval=1000";
}

}  // namespace

namespace {

/// The file may hold another one by now; where it cannot be read the password of the start is tried.
std::string current_password(const Options& options) {
  if (!options.password_file.empty()) {
    if (Result<std::string> content = config::read_secret_file(options.password_file)) {
      return std::move(*content);
    }
  }
  return std::string(options.password.reveal());
}

}  // namespace

Result<> check_conninfo(const std::string& url) {
  SENSUS_TRY_VOID(parse_keys(url));
  return {};
}

Result<std::string> make_conninfo(const std::string& url, const Options& options,
                                  const std::string& application) {
  SENSUS_TRY(Keys keys, parse_keys(url));
  if (std::string password = current_password(options); !password.empty()) {
    keys["password"] = std::move(password);
  }
  const auto seconds = std::max<std::int64_t>(2, (options.connect_timeout.count() + 999) / 1000);
  keys.try_emplace("connect_timeout", std::to_string(seconds));
  keys.try_emplace("keepalives_idle", "15");
  keys.try_emplace("keepalives_interval", "5");
  keys.try_emplace("keepalives_count", "3");
  keys.try_emplace("tcp_user_timeout", "8000");
  keys.try_emplace("target_session_attrs", "read-write");
  keys.try_emplace("application_name", application);
  keys.try_emplace("client_encoding", "UTF8");
  const auto own = keys.find("options");
  keys["options"] =
      server_settings(options) + (own == keys.end() ? std::string() : " " + own->second);
  std::string conninfo;
  for (const auto& [key, value] : keys) {
    conninfo += (conninfo.empty() ? "" : " ") + key + "=" + quote(value);
  }
  return conninfo;
}

}  // namespace sensus::pg
