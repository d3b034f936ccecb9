#pragma once

#include "sensus/core/byte_size.hpp"
#include "sensus/model/limits.hpp"

#include <chrono>
#include <cstdint>

namespace sensus::config {
class Section;
}

namespace sensus::ingest {

/// model::InputLimits as configuration (section `limits`).
struct LimitOptions {
  std::int64_t labels = 64;
  ByteSize label_name{256};
  ByteSize label_value{4096};
  ByteSize annotation_value{65536};
  ByteSize metric_name{255};
  std::chrono::milliseconds past_window = std::chrono::hours{24 * 30};
  std::chrono::milliseconds future_window = std::chrono::minutes{10};
};
void describe(config::Section& section, LimitOptions& options);
[[nodiscard]] model::InputLimits input_limits(const LimitOptions& options);

}  // namespace sensus::ingest
