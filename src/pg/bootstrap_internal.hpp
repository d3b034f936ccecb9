#pragma once

#include <string_view>

namespace sensus::pg {

/// Makes what migrations stand on: the roles (where the login may), the schema, default privileges
/// and the table of versions. May be repeated. Raises an exception that says what an administrator
/// must do.
extern const std::string_view kBootstrapSql;

}  // namespace sensus::pg
