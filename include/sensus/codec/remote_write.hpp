#pragma once

#include "sensus/core/result.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/model/metadata.hpp"
#include "sensus/model/sample.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace sensus::codec {

enum class RemoteWriteVersion {
  v1,  ///< prometheus.WriteRequest
  v2,  ///< io.prometheus.write.v2.Request
};
/// By Content-Type: application/x-protobuf, with `proto=` naming the message; absent means v1, as
/// does an absent header. nullopt: nothing that is spoken here (415).
[[nodiscard]] std::optional<RemoteWriteVersion> remote_write_version(std::string_view content_type);

/// What one request holds. Good samples are there although others were refused.
struct RemoteWrite {
  model::SampleBatch samples;
  model::MetadataBatch metadata;    ///< Of each family once a request; names and texts not yet validated.
  std::size_t stale_markers = 0;    ///< Samples that say "this series ended": ends of `samples`, not samples of it.
  std::size_t histograms = 0;       ///< Native histograms, skipped.
  std::size_t exemplars = 0;        ///< Skipped.
  std::size_t refused_metadata = 0; ///< Damaged entries. They refuse nothing else.
  std::size_t refused_samples = 0;  ///< With their series, or on their own.
  std::size_t refused_series = 0;
  std::optional<Error> first_refusal;  ///< Set when anything was refused; `field` such as
                                       ///< "timeseries[3].labels.job".
};

/// Reads an unpacked message of remote-write 1.0 or 2.0. Label sets may come unsorted; labels with
/// an empty value count as absent, as Prometheus has it. Refused, each alone: series without a
/// name, with a label twice, over the limits, with broken references; samples outside the time
/// window; metadata that is damaged, whose samples are taken. NaN and infinities are samples; the stale marker is an end. Texts of labels are limited to
/// `key_bytes_max` in all, since 2.0 lets one byte stand for a long text.
/// **Errors**: invalid_input when the bytes are not that message, too_large over key_bytes_max or a
/// million symbols. Pure.
[[nodiscard]] Result<RemoteWrite> parse_remote_write(std::string_view message,
                                                     RemoteWriteVersion version, Timestamp now,
                                                     const model::InputLimits& limits,
                                                     std::size_t key_bytes_max);

}  // namespace sensus::codec
