#include "otlp_translator_internal.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace sensus::codec::otlp {
namespace {

constexpr std::uint64_t kNoRecordedValue = 1;

Error bad(std::string message) { return make_error(Errc::invalid_input, std::move(message)); }

/// The shortest decimal notation without an exponent, which is what `le` and `quantile` look like
/// everywhere.
std::string decimal(double number) {
  if (std::isinf(number)) {
    return number > 0 ? "+Inf" : "-Inf";
  }
  char digits[400];
  const auto [end, error] =
      std::to_chars(std::begin(digits), std::end(digits), number, std::chars_format::fixed);
  return std::string(digits, error == std::errc{} ? end : digits);
}

}  // namespace

void Point::clear() {
  attributes.clear();
  time_ns = 0;
  flags = 0;
  value.reset();
  count = 0;
  sum.reset();
  bucket_counts.clear();
  bounds.clear();
  quantiles.clear();
  too_long = false;
}

void Point::add_attribute(std::string key, std::string text) {
  if (attributes.size() == kAttributesMax) {
    too_long = true;
    return;
  }
  attributes.push_back({std::move(key), std::move(text)});
}

void Point::add_bucket_count(std::uint64_t bucket) {
  if (bucket_counts.size() > kBucketsMax) {
    too_long = true;
    return;
  }
  bucket_counts.push_back(bucket);
}

void Point::add_bound(double bound) {
  if (bounds.size() > kBucketsMax) {
    too_long = true;
    return;
  }
  bounds.push_back(bound);
}

void Point::add_quantile(Quantile quantile) {
  if (quantiles.size() > kBucketsMax) {
    too_long = true;
    return;
  }
  quantiles.push_back(quantile);
}

void Translator::begin_resource() {
  end_resource();
  service_.clear();
  namespace_.clear();
  instance_.clear();
  resource_.clear();
  scope_ = {};
}

void Translator::add_resource_attribute(std::string key, std::string value) {
  if (key == "service.name") {
    service_ = std::move(value);
  } else if (key == "service.namespace") {
    namespace_ = std::move(value);
  } else if (key == "service.instance.id") {
    instance_ = std::move(value);
  } else if (resource_.size() < kAttributesMax) {
    resource_.push_back({std::move(key), std::move(value)});
  }
}

/// What is known of the target beside its name stands on one series, where a join finds it, and not on
/// all: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/.
void Translator::end_resource() {
  const bool named = !service_.empty() || !instance_.empty();
  if (named && newest_ && !resource_.empty()) {
    append_row(out_.samples, "target_info", target_labels(), *newest_, 1);
  }
  newest_.reset();
}

/// What is over the limits is left out: the series is worth having without it.
model::Labels Translator::target_labels() {
  model::Labels labels;
  set_identity(labels);
  for (const model::Label& label : labels_of(resource_)) {
    const bool fits = labels.size() < limits_.label_count_max && labels.find(label.name) == nullptr;
    if (fits &&
        model::check_label(label.name, label.value, limits_.label_value_bytes_max, limits_, "")) {
      labels.set(label.name, label.value);
    }
  }
  return labels;
}

void Translator::set_identity(model::Labels& labels) const {
  if (!service_.empty()) {
    labels.set("job", namespace_.empty() ? service_ : namespace_ + "/" + service_);
  }
  if (!instance_.empty()) {
    labels.set("instance", instance_);
  }
}

void Translator::begin_scope(ScopeHead scope) {
  for (Attribute& attribute : scope.attributes) {
    attribute.key.insert(0, "otel_scope_");
  }
  scope_ = labels_of(scope.attributes);
  const auto set = [this](const char* name, std::string_view value) {
    if (!value.empty()) {
      scope_.set(name, std::string(value));
    }
  };
  set("otel_scope_name", scope.name);
  set("otel_scope_version", scope.version);
  set("otel_scope_schema_url", scope.schema_url);
}

OtlpMetrics Translator::take() {
  end_resource();
  return std::move(out_);
}

void Translator::begin_metric(const MetricHead& head) {
  kind_ = head.kind;
  temporality_ = head.temporality;
  monotonic_ = head.monotonic;
  const NameKind kind = kind_ == Kind::gauge                   ? NameKind::gauge
                        : kind_ == Kind::sum && head.monotonic ? NameKind::monotonic_sum
                                                               : NameKind::other;
  names_.plain = metric_name_of(head.name, head.unit, kind);
  names_.bucket = names_.plain + "_bucket";
  names_.sum = names_.plain + "_sum";
  names_.count = names_.plain + "_count";
  const Result<> usable = check_metric();
  unusable_ = usable ? std::nullopt : std::optional<Error>(usable.error());
  if (usable) {
    describe(head);
  }
}

void Translator::describe(const MetricHead& head) {
  model::MetricType type = model::MetricType::unknown;
  switch (head.kind) {
    case Kind::gauge: type = model::MetricType::gauge; break;
    // A sum that may fall is what Prometheus calls a gauge.
    case Kind::sum:
      type = head.monotonic ? model::MetricType::counter : model::MetricType::gauge;
      break;
    case Kind::histogram: type = model::MetricType::histogram; break;
    case Kind::summary: type = model::MetricType::summary; break;
    default: return;
  }
  out_.metadata.append({names_.plain, type, unit_name_of(head.unit), head.description});
}

Result<> Translator::check_metric() {
  if (names_.plain.empty()) {
    return bad("a metric's name has no letter or digit");
  }
  const bool has_parts = kind_ == Kind::histogram || kind_ == Kind::summary;
  SENSUS_TRY_VOID(
      model::check_metric_name(has_parts ? names_.bucket : names_.plain, limits_, "name"));
  if (kind_ == Kind::exponential_histogram) {
    return bad("exponential histograms are not kept: send explicit buckets");
  }
  if ((kind_ == Kind::sum || kind_ == Kind::histogram) &&
      temporality_ == Temporality::unspecified) {
    return bad("aggregation_temporality must be delta or cumulative");
  }
  return {};
}

bool Translator::add(Point& point) {
  if (unusable_) {
    reject(*unusable_);
    return true;
  }
  ended_ = (point.flags & kNoRecordedValue) != 0 || (point.value && model::is_stale_marker(*point.value));
  labels_ = labels_of(point.attributes);
  for (const model::Label& label : scope_) {
    labels_.set(label.name, label.value);
  }
  set_identity(labels_);
  time_ = from_unix_us(static_cast<std::int64_t>(point.time_ns / 1000));
  if (const Result<> usable = check_point(point); !usable) {
    reject(usable.error());
    return true;
  }
  if (ended_) {
    ++out_.stale_markers;
  } else {
    newest_ = std::max(newest_.value_or(time_), time_);
  }
  switch (kind_) {
    case Kind::histogram: add_histogram(point); break;
    case Kind::summary: add_summary(point); break;
    default: append(names_.plain, point.value.value_or(0)); break;
  }
  return bytes_ <= batch_bytes_max_;
}

Result<> Translator::check_point(const Point& point) const {
  if (point.too_long) {
    return bad("has more than " + std::to_string(kAttributesMax) + " attributes or " +
               std::to_string(kBucketsMax) + " buckets or quantiles");
  }
  SENSUS_TRY_VOID(model::check_timestamp(time_, now_, limits_, "time_unix_nano"));
  SENSUS_TRY_VOID(model::check_labels(labels_, limits_, "attributes"));
  if (ended_) {
    return {};
  }
  if (kind_ == Kind::histogram) {
    return check_histogram(point);
  }
  if (kind_ == Kind::summary) {
    return {};
  }
  if (!point.value) {
    return bad("has no value");
  }
  return check_value(*point.value);
}

/// NaN and infinities are values, but nothing can be added to them.
Result<> Translator::check_value(double value) const {
  if (!increments()) {
    return {};
  }
  if (!std::isfinite(value)) {
    return bad("the increment must be a finite number");
  }
  if (monotonic_ && value < 0) {
    return bad("the increment of a monotonic sum must not be negative");
  }
  return {};
}

Result<> Translator::check_histogram(const Point& point) const {
  const bool none = point.bucket_counts.empty() && point.bounds.empty();
  if (!none && point.bucket_counts.size() != point.bounds.size() + 1) {
    return bad("bucket_counts must have one entry more than explicit_bounds");
  }
  for (std::size_t i = 0; i < point.bounds.size(); ++i) {
    if (std::isnan(point.bounds[i]) || (i > 0 && point.bounds[i] <= point.bounds[i - 1])) {
      return bad("explicit_bounds must increase");
    }
  }
  return increments() && point.sum && !std::isfinite(*point.sum)
             ? Result<>(bad("the increment must be a finite number"))
             : Result<>();
}

void Translator::add_histogram(const Point& point) {
  add_sum_and_count(point);
  double seen = 0;
  for (std::size_t i = 0; i < point.bounds.size(); ++i) {
    // Who has no value any more may name its bounds without counts.
    seen += i < point.bucket_counts.size() ? static_cast<double>(point.bucket_counts[i]) : 0;
    if (std::isfinite(point.bounds[i])) {
      labels_.set("le", decimal(point.bounds[i]));
      append(names_.bucket, seen);
    }
  }
  labels_.set("le", "+Inf");
  append(names_.bucket, static_cast<double>(point.count));
}

void Translator::add_summary(const Point& point) {
  add_sum_and_count(point);
  for (const Point::Quantile& quantile : point.quantiles) {
    if (std::isfinite(quantile.quantile)) {
      labels_.set("quantile", decimal(quantile.quantile));
      append(names_.plain, quantile.value);
    }
  }
}

void Translator::add_sum_and_count(const Point& point) {
  if (point.sum || ended_) {
    append(names_.sum, point.sum.value_or(0));
  }
  append(names_.count, static_cast<double>(point.count));
}

void Translator::append(const std::string& name, double value) {
  if (!ended_) {
    append_row(increments() ? out_.deltas : out_.samples, name, labels_, time_, value);
  } else if (bytes_ <= batch_bytes_max_) {
    const std::string key = model::encode_series_key(name, labels_);
    bytes_ += key.size() + sizeof(model::SampleBatch::End);
    out_.samples.append_end(key, time_);
  }
}

void Translator::append_row(model::SampleBatch& batch, const std::string& name,
                            const model::Labels& labels, Timestamp time, double value) {
  if (bytes_ > batch_bytes_max_) {
    return;
  }
  const std::string key = model::encode_series_key(name, labels);
  bytes_ += key.size() + sizeof(model::SampleBatch::Row);
  batch.append(key, time, value);
}

bool Translator::increments() const {
  return (kind_ == Kind::sum || kind_ == Kind::histogram) && temporality_ == Temporality::delta;
}

void Translator::reject(const Error& why) {
  if (out_.rejected_points++ == 0) {
    constexpr std::size_t kNameShown = 100;
    out_.rejection = names_.plain.empty() ? "" : names_.plain.substr(0, kNameShown) + ": ";
    out_.rejection += why.field.empty() ? "" : why.field + " ";
    out_.rejection += why.message;
  }
}

Error Translator::full() const {
  return make_error(Errc::too_large, "the body's samples take more than " +
                                         std::to_string(batch_bytes_max_) +
                                         " bytes: send fewer data points at a time");
}

}  // namespace sensus::codec::otlp
