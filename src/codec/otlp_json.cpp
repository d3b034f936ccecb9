#include "otlp_json_value_internal.hpp"
#include "otlp_readers_internal.hpp"

#include <optional>
#include <utility>

namespace sensus::codec::otlp {
namespace {

Kind kind_of(std::string_view name) {
  if (name == "gauge") {
    return Kind::gauge;
  }
  if (name == "sum") {
    return Kind::sum;
  }
  if (name == "histogram") {
    return Kind::histogram;
  }
  if (name == "exponentialHistogram") {
    return Kind::exponential_histogram;
  }
  return name == "summary" ? Kind::summary : Kind::none;
}

/// Members come in any order, but a resource decides about the metrics beside it. So the text of
/// what depends on another member is set aside and scanned when all is known; no document is built.
class JsonReader {
 public:
  JsonReader(std::string_view body, Translator& out) : body_(body), out_(out) {}

  Result<> read() {
    const bool whole = within(body_, [this](JsonScanner& in) {
      const auto element = [this, &in] { return read_resource_metrics(in); };
      return json_members(in,
                          [&](std::string_view name) {
                            return name == "resourceMetrics" ? json_elements(in, element)
                                                             : in.skip_value();
                          }) &&
             in.finish();
    });
    if (whole) {
      return {};
    }
    return full_ ? out_.full() : *std::move(error_);
  }

 private:
  /// Scans a part of the body; its first failure is the body's.
  template <class Read>
  bool within(std::string_view part, Read read) {
    JsonScanner in(part, static_cast<std::size_t>(part.data() - body_.data()));
    if (read(in)) {
      return true;
    }
    if (!error_ && !in.ok()) {
      error_ = in.error("");
    }
    return false;
  }

  static bool set_aside(JsonScanner& in, std::string_view& part) {
    (void)in.peek();  // Past white space.
    const std::size_t begin = in.offset();
    if (!in.skip_value()) {
      return false;
    }
    part = in.text().substr(begin, in.offset() - begin);
    return true;
  }

  bool read_resource_metrics(JsonScanner& in) {
    std::string_view resource;
    std::string_view scopes;
    const bool whole = json_members(in, [&](std::string_view name) {
      return name == "resource"       ? set_aside(in, resource)
             : name == "scopeMetrics" ? set_aside(in, scopes)
                                      : in.skip_value();
    });
    if (!whole) {
      return false;
    }
    out_.begin_resource();
    return (resource.empty() ||
            within(resource, [this](JsonScanner& part) { return read_resource(part); })) &&
           (scopes.empty() ||
            within(scopes, [this](JsonScanner& part) { return read_scopes(part); }));
  }

  bool read_resource(JsonScanner& in) {
    const auto attribute = [this, &in] {
      std::string key;
      std::string value;
      if (!read_json_pair(in, key, value, 0)) {
        return false;
      }
      out_.add_resource_attribute(std::move(key), std::move(value));
      return true;
    };
    return json_members(in, [&](std::string_view name) {
      return name == "attributes" ? json_elements(in, attribute) : in.skip_value();
    });
  }

  bool read_scopes(JsonScanner& in) {
    return json_elements(in, [this, &in] { return read_scope_metrics(in); });
  }

  bool read_scope_metrics(JsonScanner& in) {
    ScopeHead scope;
    std::string_view metrics;
    const bool whole = json_members(in, [&](std::string_view name) {
      return name == "scope"       ? read_scope(in, scope)
             : name == "schemaUrl" ? in.read_string(scope.schema_url)
             : name == "metrics"   ? set_aside(in, metrics)
                                   : in.skip_value();
    });
    if (!whole) {
      return false;
    }
    out_.begin_scope(std::move(scope));
    return metrics.empty() || within(metrics, [this](JsonScanner& part) {
             return json_elements(part, [this, &part] { return read_metric(part); });
           });
  }

  static bool read_scope(JsonScanner& in, ScopeHead& scope) {
    const auto attribute = [&in, &scope] {
      std::string key;
      std::string value;
      if (!read_json_pair(in, key, value, 0)) {
        return false;
      }
      if (scope.attributes.size() <= kAttributesMax) {
        scope.attributes.push_back({std::move(key), std::move(value)});
      }
      return true;
    };
    return json_members(in, [&](std::string_view name) {
      return name == "name"         ? in.read_string(scope.name)
             : name == "version"    ? in.read_string(scope.version)
             : name == "attributes" ? json_elements(in, attribute)
                                    : in.skip_value();
    });
  }

  bool read_metric(JsonScanner& in) {
    MetricHead head;
    std::string_view data;
    const bool whole = json_members(in, [&](std::string_view name) {
      if (name == "name") {
        return in.read_string(head.name);
      }
      if (name == "unit") {
        return in.read_string(head.unit);
      }
      if (name == "description") {
        return in.read_string(head.description);
      }
      const Kind kind = kind_of(name);
      if (kind == Kind::none) {
        return in.skip_value();
      }
      head.kind = kind;
      return set_aside(in, data);
    });
    return whole &&
           (data.empty() || within(data, [&](JsonScanner& part) { return read_data(part, head); }));
  }

  bool read_data(JsonScanner& in, MetricHead& head) {
    std::string_view points;
    const bool whole = json_members(in, [&](std::string_view name) {
      if (name == "aggregationTemporality") {
        return read_temporality(in, head.temporality);
      }
      if (name == "isMonotonic") {
        return read_json_bool(in, head.monotonic);
      }
      return name == "dataPoints" ? set_aside(in, points) : in.skip_value();
    });
    if (!whole) {
      return false;
    }
    out_.begin_metric(head);
    return points.empty() || within(points, [&](JsonScanner& part) {
             return json_elements(part, [&] { return read_point(part, head.kind); });
           });
  }

  /// OTLP sends numbers; the names are what other writers of protobuf's JSON send.
  static bool read_temporality(JsonScanner& in, Temporality& out) {
    if (in.peek() == '"') {
      std::string_view name;
      const bool read = in.read_string(name);
      out = name == "AGGREGATION_TEMPORALITY_DELTA"        ? Temporality::delta
            : name == "AGGREGATION_TEMPORALITY_CUMULATIVE" ? Temporality::cumulative
                                                           : Temporality::unspecified;
      return read;
    }
    std::int64_t number = 0;
    if (!read_json_integer(in, number)) {
      return false;
    }
    out = number == 1 || number == 2 ? static_cast<Temporality>(number) : Temporality::unspecified;
    return true;
  }

  bool read_point(JsonScanner& in, Kind kind) {
    point_.clear();
    const bool whole =
        kind == Kind::exponential_histogram
            ? in.skip_value()
            : json_members(in, [&](std::string_view name) { return read_member(in, name); });
    if (!whole) {
      return false;
    }
    full_ = !out_.add(point_);
    return !full_;
  }

  bool read_member(JsonScanner& in, std::string_view name) {
    if (name == "attributes") {
      return json_elements(in, [&] { return read_attribute(in); });
    }
    if (name == "timeUnixNano") {
      return read_json_integer(in, point_.time_ns);
    }
    if (name == "flags") {
      return read_json_integer(in, point_.flags);
    }
    if (name == "asDouble") {
      return read_json_real(in, point_.value.emplace());
    }
    if (name == "asInt") {
      std::int64_t number = 0;
      const bool read = read_json_integer(in, number);
      point_.value = static_cast<double>(number);
      return read;
    }
    if (name == "count") {
      return read_json_integer(in, point_.count);
    }
    if (name == "sum") {
      return read_json_real(in, point_.sum.emplace());
    }
    return read_list(in, name);
  }

  bool read_list(JsonScanner& in, std::string_view name) {
    if (name == "bucketCounts") {
      return json_elements(in, [&] {
        std::uint64_t count = 0;
        const bool read = read_json_integer(in, count);
        point_.add_bucket_count(count);
        return read;
      });
    }
    if (name == "explicitBounds") {
      return json_elements(in, [&] {
        double bound = 0;
        const bool read = read_json_real(in, bound);
        point_.add_bound(bound);
        return read;
      });
    }
    return name == "quantileValues" ? json_elements(in, [&] { return read_quantile(in); })
                                    : in.skip_value();
  }

  bool read_attribute(JsonScanner& in) {
    std::string key;
    std::string value;
    if (!read_json_pair(in, key, value, 0)) {
      return false;
    }
    point_.add_attribute(std::move(key), std::move(value));
    return true;
  }

  bool read_quantile(JsonScanner& in) {
    Point::Quantile quantile;
    const bool whole = json_members(in, [&](std::string_view name) {
      return name == "quantile" ? read_json_real(in, quantile.quantile)
             : name == "value"  ? read_json_real(in, quantile.value)
                                : in.skip_value();
    });
    point_.add_quantile(quantile);
    return whole;
  }

  std::string_view body_;
  Translator& out_;
  Point point_;
  std::optional<Error> error_;
  bool full_ = false;
};

}  // namespace

Result<> read_json(std::string_view body, Translator& out) {
  SENSUS_TRY_VOID(check_json_bytes(body));
  return JsonReader(body, out).read();
}

}  // namespace sensus::codec::otlp
