#pragma once

#include "sensus/core/result.hpp"
#include "sensus/pg/options.hpp"

#include <string>

namespace sensus::pg {

/// Whether libpq reads it: a URL or key=value pairs, of keys that it knows. **Errors**: invalid_input.
[[nodiscard]] Result<> check_conninfo(const std::string& url);

/// The connection string with what every session of Sensus needs (keep-alive, time limits, search
/// path, UTC). Keys that the operator gave win; server settings of his `options` come after ours,
/// so they win too. **Errors**: invalid_input.
[[nodiscard]] Result<std::string> make_conninfo(const std::string& url, const Options& options,
                                                const std::string& application);

}  // namespace sensus::pg
