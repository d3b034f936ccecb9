#pragma once

#include "sensus/core/time.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::model {

struct Sample {
  Timestamp time;
  double value = 0;
};

/// Samples of one request, validated, in the order they came. Series keys (encode_series_key) live in one arena, so that a
/// request costs few allocations. Value type; any thread.
class SampleBatch {
 public:
  struct Row {
    std::size_t key_begin;
    std::size_t key_size;
    Timestamp time;
    double value;
  };

  /// A series that ended. It is no sample: it has no value.
  struct End {
    std::size_t key_begin;
    std::size_t key_size;
    Timestamp time;
  };

  void append(std::string_view series_key, Timestamp time, double value) {
    rows_.push_back({keys_.size(), series_key.size(), time, value});
    keys_.append(series_key);
  }
  /// The series ended: no sample of it is to be expected after `time`.
  void append_end(std::string_view series_key, Timestamp time) {
    ends_.push_back({keys_.size(), series_key.size(), time});
    keys_.append(series_key);
  }
  /// Another sample of the series appended last; it shares the bytes of that key.
  void append_again(Timestamp time, double value) {
    Row row = rows_.back();
    row.time = time;
    row.value = value;
    rows_.push_back(row);
  }
  [[nodiscard]] std::string_view key(const Row& row) const {
    return std::string_view(keys_).substr(row.key_begin, row.key_size);
  }
  [[nodiscard]] std::string_view key(const End& end) const {
    return std::string_view(keys_).substr(end.key_begin, end.key_size);
  }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] const std::vector<End>& ends() const { return ends_; }
  /// Samples.
  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  /// Neither samples nor ends.
  [[nodiscard]] bool empty() const { return rows_.empty() && ends_.empty(); }
  [[nodiscard]] std::size_t memory_bytes() const {
    return keys_.capacity() + rows_.capacity() * sizeof(Row) + ends_.capacity() * sizeof(End);
  }
  void reserve(std::size_t rows, std::size_t key_bytes) {
    rows_.reserve(rows);
    keys_.reserve(key_bytes);
  }

 private:
  std::string keys_;
  std::vector<Row> rows_;
  std::vector<End> ends_;
};

/// The one NaN that says that a series ended, https://prometheus.io/docs/specs/prw/remote_write_spec/. Other NaNs are values.
inline constexpr std::uint64_t kStaleMarkerBits = 0x7ff0000000000002ULL;

[[nodiscard]] inline bool is_stale_marker(double value) { return std::bit_cast<std::uint64_t>(value) == kStaleMarkerBits; }
[[nodiscard]] inline double stale_marker() { return std::bit_cast<double>(kStaleMarkerBits); }

}  // namespace sensus::model
