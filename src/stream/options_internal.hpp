#pragma once

#include "sensus/stream/stream.hpp"

#include <string>

namespace sensus::stream {

/// The configured name, or one made of host and pid.
[[nodiscard]] std::string consumer_name(const Options& options);
/// Where entries of `key` go that are given up.
[[nodiscard]] std::string dead_key(const std::string& key);

}  // namespace sensus::stream
