#pragma once

#include "sensus/model/metadata.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace sensus::codec {

/// prometheus.MetricMetadata, as it stands. nullopt when the bytes are not that message.
[[nodiscard]] std::optional<model::MetadataBatch::View> read_metadata_v1(std::string_view message);

/// io.prometheus.write.v2.Metadata: the texts are symbols.
struct MetadataRefs {
  model::MetricType type = model::MetricType::unknown;
  std::uint64_t help = 0;
  std::uint64_t unit = 0;

  [[nodiscard]] bool says_something() const {
    return type != model::MetricType::unknown || help != 0 || unit != 0;
  }
};
[[nodiscard]] std::optional<MetadataRefs> read_metadata_v2(std::string_view message);

}  // namespace sensus::codec
