#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::model {

struct Label {
  std::string name;
  std::string value;
  friend auto operator<=>(const Label&, const Label&) = default;
};

/// A set of labels: sorted by name, names unique. Value type; any thread.
class Labels {
 public:
  Labels() = default;
  Labels(std::initializer_list<Label> labels);

  /// Inserts, or replaces the value of an existing name.
  void set(std::string name, std::string value);
  void erase(std::string_view name);
  [[nodiscard]] const std::string* find(std::string_view name) const;
  /// The value, or "" when absent.
  [[nodiscard]] std::string_view get(std::string_view name) const;
  [[nodiscard]] bool empty() const { return labels_.empty(); }
  [[nodiscard]] std::size_t size() const { return labels_.size(); }
  [[nodiscard]] auto begin() const { return labels_.begin(); }
  [[nodiscard]] auto end() const { return labels_.end(); }
  friend bool operator==(const Labels&, const Labels&) = default;

 private:
  std::vector<Label> labels_;
};

/// 128-bit BLAKE2b over name 0xFF value 0xFF of the sorted pairs: the identity of a label set in storage.
struct LabelsHash {
  std::uint8_t bytes[16] = {};
  friend auto operator<=>(const LabelsHash&, const LabelsHash&) = default;
};
[[nodiscard]] LabelsHash hash_labels(const Labels& labels);

/// Alertmanager's fingerprint: FNV-1a 64 over the same bytes, as 16 hex digits. For display; senders supply it too.
[[nodiscard]] std::string fingerprint_of(const Labels& labels);

/// The canonical text of a series: metric name, 0xFF, then name 0xFF value 0xFF of the sorted labels. 0xFF never occurs in
/// UTF-8, so the form is unambiguous. The series cache is keyed by these bytes.
[[nodiscard]] std::string encode_series_key(std::string_view metric_name, const Labels& labels);
struct SeriesName {
  std::string metric_name;
  Labels labels;
};
/// Inverse of encode_series_key; nullopt on bytes that it did not make.
[[nodiscard]] std::optional<SeriesName> decode_series_key(std::string_view key);
/// The metric name at its begin; it looks into `key`.
[[nodiscard]] std::string_view metric_name_of_key(std::string_view key);
[[nodiscard]] LabelsHash hash_series_key(std::string_view key);

enum class MatchOp { equal, not_equal };
/// `severity="critical"` or `severity!="info"`; a missing label counts as the empty value.
struct Matcher {
  std::string name;
  MatchOp op = MatchOp::equal;
  std::string value;
};
/// Parses `name="value"`, `name!="value"`, or the same without quotes; nullopt when malformed.
[[nodiscard]] std::optional<Matcher> parse_matcher(std::string_view text);
[[nodiscard]] bool matches(const Matcher& matcher, const Labels& labels);

}  // namespace sensus::model
