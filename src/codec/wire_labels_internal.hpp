#pragma once

#include "sensus/core/result.hpp"
#include "sensus/model/limits.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::codec {

/// The labels of one series of remote-write, as views of the message, and the key that they make. Buffers are reused from
/// series to series; most labels are plain ASCII in order, and cost one look.
class WireLabels {
 public:
  struct View {
    std::string_view name;
    std::string_view value;
  };

  /// `limits` outlives it.
  explicit WireLabels(const model::InputLimits& limits) : limits_(limits) {}

  void clear() { labels_.clear(); }
  /// One more than the limit is kept, so that the excess shows.
  void add(View label) {
    if (labels_.size() <= limits_.label_count_max + 1) {
      labels_.push_back(label);
    }
  }

  /// Makes the key of model::encode_series_key. Labels may come unsorted; those with an empty value are left out. Returns why the series
  /// cannot be taken, `field` such as "timeseries[3].labels.job", `series` being its index.
  [[nodiscard]] std::optional<Error> encode(std::size_t series);
  /// Of the last `encode` that went well; until the next.
  [[nodiscard]] std::string_view key() const { return key_; }

 private:
  [[nodiscard]] std::optional<Error> arrange(std::size_t series);
  void start_key(std::string_view name);
  void append_to_key(std::string_view text);

  const model::InputLimits& limits_;
  std::vector<View> labels_;
  std::vector<char> room_;
  std::string_view key_;  ///< In room_.
};

}  // namespace sensus::codec
