#pragma once

#include "otlp_names_internal.hpp"

#include "sensus/codec/otlp.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::codec::otlp {

enum class Kind { none, gauge, sum, histogram, exponential_histogram, summary };
enum class Temporality { unspecified = 0, delta = 1, cumulative = 2 };

struct MetricHead {
  std::string_view name;
  std::string_view unit;
  std::string_view description;
  Kind kind = Kind::none;
  Temporality temporality = Temporality::unspecified;
  bool monotonic = false;
};

/// What made the metrics that follow: a library and its version.
struct ScopeHead {
  std::string_view name;
  std::string_view version;
  std::string_view schema_url;
  std::vector<Attribute> attributes;
};

/// A point with more attributes than this is rejected, so no more are kept.
inline constexpr std::size_t kAttributesMax = 128;
/// Longer values are over every limit of a label; what comes after is not even rendered.
inline constexpr std::size_t kAttributeBytesMax = 64 * 1024;
/// Nesting of arrays and maps in an attribute's value; a body that goes deeper cannot be decoded.
inline constexpr int kValueDepthMax = 16;
/// A histogram of more buckets is rejected: each of them is a series.
inline constexpr std::size_t kBucketsMax = 1000;

/// One data point of any kind, as far as it is used. Reused from point to point.
struct Point {
  struct Quantile {
    double quantile = 0;
    double value = 0;
  };

  std::vector<Attribute> attributes;
  std::uint64_t time_ns = 0;
  std::uint64_t flags = 0;
  std::optional<double> value;  ///< Of gauges and sums.
  std::uint64_t count = 0;
  std::optional<double> sum;
  std::vector<std::uint64_t> bucket_counts;
  std::vector<double> bounds;
  std::vector<Quantile> quantiles;
  bool too_long = false;  ///< Lists went over their limits; what is here is not all.

  void clear();
  void add_attribute(std::string key, std::string value);
  void add_bucket_count(std::uint64_t count);
  void add_bound(double bound);
  void add_quantile(Quantile quantile);
};

/// Decoded points in, samples out; the two readers of OTLP share it.
class Translator {
 public:
  Translator(Timestamp now, const model::InputLimits& limits, std::size_t batch_bytes_max)
      : now_(now), limits_(limits), batch_bytes_max_(batch_bytes_max) {}

  /// Ends the resource before.
  void begin_resource();
  void add_resource_attribute(std::string key, std::string value);
  void begin_scope(ScopeHead scope);
  void begin_metric(const MetricHead& head);
  /// False when the batch is full; nothing may be added after that.
  [[nodiscard]] bool add(Point& point);

  [[nodiscard]] OtlpMetrics take();
  [[nodiscard]] Error full() const;

 private:
  struct Names {
    std::string plain, bucket, sum, count;
  };

  void end_resource();
  void set_identity(model::Labels& labels) const;
  [[nodiscard]] model::Labels target_labels();
  void describe(const MetricHead& head);
  [[nodiscard]] Result<> check_metric();
  [[nodiscard]] Result<> check_point(const Point& point) const;
  [[nodiscard]] Result<> check_value(double value) const;
  [[nodiscard]] Result<> check_histogram(const Point& point) const;
  void add_histogram(const Point& point);
  void add_summary(const Point& point);
  void add_sum_and_count(const Point& point);
  void append(const std::string& name, double value);
  void append_row(model::SampleBatch& batch, const std::string& name, const model::Labels& labels,
                  Timestamp time, double value);
  [[nodiscard]] bool increments() const;
  void reject(const Error& why);

  Timestamp now_;
  model::InputLimits limits_;
  std::size_t batch_bytes_max_;
  std::size_t bytes_ = 0;

  std::string service_, namespace_, instance_;
  std::vector<Attribute> resource_;  ///< What else is known of it.
  std::optional<Timestamp> newest_;  ///< Point of this resource that was kept.
  model::Labels scope_;
  Kind kind_ = Kind::none;
  Temporality temporality_ = Temporality::unspecified;
  bool monotonic_ = false;
  Names names_;
  std::optional<Error> unusable_;  ///< Why no point of this metric can be kept.

  model::Labels labels_;  ///< Of the point that is being added.
  Timestamp time_;
  bool ended_ = false;  ///< The point says that there is no value any more.
  OtlpMetrics out_;
};

}  // namespace sensus::codec::otlp
