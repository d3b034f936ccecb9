#pragma once

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"
#include "sensus/model/labels.hpp"
#include "sensus/model/sample.hpp"
#include "sensus/model/selector.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::codec {

/// One question of a remote-read request: samples in [from, to), where `to` is a millisecond after
/// the last one that is wanted.
struct RemoteReadQuery {
  model::Selector selector;
  Timestamp from;
  Timestamp to;
};

inline constexpr std::size_t kRemoteReadQueriesMax = 64;

/// Reads an unpacked prometheus.ReadRequest. Hints are not needed to answer.
/// **Errors**: invalid_input when the bytes are not that message, ask for nothing, or for times
/// beyond year 9999; unsupported when the reader takes only streamed chunks; too_large above
/// kRemoteReadQueriesMax questions, or a selector's limits. Pure.
[[nodiscard]] Result<std::vector<RemoteReadQuery>> parse_remote_read(std::string_view message);

/// Writes a prometheus.ReadResponse of samples. Questions are answered in their order; the series
/// of one are sorted by their labels when it ends. Pure; any thread.
class RemoteReadAnswer {
 public:
  /// `samples` ascending. Times are cut to milliseconds; of those that become equal the last one
  /// stays.
  void add_series(const std::string& metric_name, const model::Labels& labels,
                  const std::vector<model::Sample>& samples);
  void end_query();
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const std::string& message() const { return message_; }

 private:
  struct Series {
    std::vector<model::Label> labels;
    std::string bytes;
  };
  std::vector<Series> open_;
  std::string message_;
  std::size_t bytes_ = 0;
};

}  // namespace sensus::codec
