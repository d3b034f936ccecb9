#pragma once

#include <string_view>

namespace sensus::app {

/// deploy/postgres/roles.sql, embedded at build time.
extern const std::string_view kRolesSql;

}  // namespace sensus::app
