#include "otlp_readers_internal.hpp"
#include "proto_reader_internal.hpp"

#include <bit>
#include <utility>

// Field numbers are those of opentelemetry/proto/{collector/metrics,metrics,resource,common}/v1. A
// message is walked twice where a later field decides what an earlier one means: nothing is built
// but the point at hand.

namespace sensus::codec::otlp {
namespace {

constexpr auto kBytes = WireType::bytes;
constexpr auto kFixed64 = WireType::fixed64;
constexpr auto kVarint = WireType::varint;

constexpr std::uint32_t tag(std::uint32_t number, WireType type) { return proto_tag(number, type); }

/// Where a kind of point has its fields; 0 is never a tag.
struct PointFields {
  std::uint32_t attributes = 0;
  std::uint32_t flags = 0;
  std::uint32_t as_double = 0;
  std::uint32_t as_int = 0;
  std::uint32_t count = 0;
  std::uint32_t sum = 0;
  std::uint32_t bucket_counts = 0;  ///< A number: either type is read.
  std::uint32_t bounds = 0;         ///< Likewise.
  std::uint32_t quantiles = 0;
};
constexpr PointFields kNumber = {.attributes = tag(7, kBytes),
                                 .flags = tag(8, kVarint),
                                 .as_double = tag(4, kFixed64),
                                 .as_int = tag(6, kFixed64)};
constexpr PointFields kHistogram = {.attributes = tag(9, kBytes),
                                    .flags = tag(10, kVarint),
                                    .count = tag(4, kFixed64),
                                    .sum = tag(5, kFixed64),
                                    .bucket_counts = 6,
                                    .bounds = 7};
constexpr PointFields kSummary = {.attributes = tag(7, kBytes),
                                  .flags = tag(8, kVarint),
                                  .count = tag(4, kFixed64),
                                  .sum = tag(5, kFixed64),
                                  .quantiles = tag(6, kBytes)};
constexpr std::uint32_t kTimeTag = tag(3, kFixed64);

class ProtobufReader {
 public:
  explicit ProtobufReader(Translator& out) : out_(out) {}

  bool read(std::string_view body) {
    return each(body, 1,
                [this](std::string_view message) { return read_resource_metrics(message); });
  }

 private:
  /// Calls `visit` for every message in that field until one returns false.
  template <class Visit>
  static bool each(std::string_view message, std::uint32_t number, Visit visit) {
    ProtoReader in(message);
    ProtoField field;
    while (in.next(field)) {
      if (field.tag() == tag(number, kBytes) && !visit(field.bytes)) {
        return false;
      }
    }
    return in.ok();
  }

  bool read_resource_metrics(std::string_view message) {
    out_.begin_resource();
    const auto attribute = [this](std::string_view pair) { return read_resource_attribute(pair); };
    const auto resource = [&attribute](std::string_view part) { return each(part, 1, attribute); };
    const auto scope = [this](std::string_view part) { return read_scope_metrics(part); };
    return each(message, 1, resource) && each(message, 2, scope);
  }

  bool read_scope_metrics(std::string_view message) {
    ScopeHead scope;
    ProtoReader in(message);
    ProtoField field;
    while (in.next(field)) {
      if (field.tag() == tag(1, kBytes) && !read_scope(field.bytes, scope)) {
        return false;
      }
      if (field.tag() == tag(3, kBytes)) {
        scope.schema_url = field.bytes;
      }
    }
    if (!in.ok()) {
      return false;
    }
    out_.begin_scope(std::move(scope));
    return each(message, 2, [this](std::string_view part) { return read_metric(part); });
  }

  static bool read_scope(std::string_view message, ScopeHead& scope) {
    ProtoReader in(message);
    ProtoField field;
    while (in.next(field)) {
      switch (field.tag()) {
        case tag(1, kBytes): scope.name = field.bytes; break;
        case tag(2, kBytes): scope.version = field.bytes; break;
        case tag(3, kBytes):
          if (!read_pair(field.bytes, scope.attributes)) {
            return false;
          }
          break;
        default: break;
      }
    }
    return in.ok();
  }

  /// No more are kept than a point may have.
  static bool read_pair(std::string_view pair, std::vector<Attribute>& out) {
    std::string_view key;
    std::string_view value;
    std::string text;
    if (!split_pair(pair, key, value) || !append_any_value(value, text)) {
      return false;
    }
    if (out.size() <= kAttributesMax) {
      out.push_back({std::string(key), std::move(text)});
    }
    return true;
  }

  static bool split_pair(std::string_view pair, std::string_view& key, std::string_view& value) {
    key = value = {};
    ProtoReader in(pair);
    ProtoField field;
    while (in.next(field)) {
      if (field.tag() == tag(1, kBytes)) {
        key = field.bytes;
      } else if (field.tag() == tag(2, kBytes)) {
        value = field.bytes;
      }
    }
    return in.ok();
  }

  bool read_resource_attribute(std::string_view pair) {
    std::string_view key;
    std::string_view value;
    if (!split_pair(pair, key, value)) {
      return false;
    }
    std::string text;
    if (!append_any_value(value, text)) {
      return false;
    }
    out_.add_resource_attribute(std::string(key), std::move(text));
    return true;
  }

  bool read_metric(std::string_view message) {
    MetricHead head;
    std::string_view data;
    ProtoReader in(message);
    ProtoField field;
    while (in.next(field)) {
      const Kind kind = kind_of(field.tag());
      if (field.tag() == tag(1, kBytes)) {
        head.name = field.bytes;
      } else if (field.tag() == tag(2, kBytes)) {
        head.description = field.bytes;
      } else if (field.tag() == tag(3, kBytes)) {
        head.unit = field.bytes;
      } else if (kind != Kind::none) {
        head.kind = kind;
        data = field.bytes;
      }
    }
    return in.ok() && read_data(head, data);
  }

  static Kind kind_of(std::uint32_t field) {
    switch (field) {
      case tag(5, kBytes): return Kind::gauge;
      case tag(7, kBytes): return Kind::sum;
      case tag(9, kBytes): return Kind::histogram;
      case tag(10, kBytes): return Kind::exponential_histogram;
      case tag(11, kBytes): return Kind::summary;
      default: return Kind::none;
    }
  }

  bool read_data(MetricHead& head, std::string_view data) {
    ProtoReader in(data);
    ProtoField field;
    while (in.next(field)) {
      if (field.tag() == tag(2, kVarint)) {
        const bool known = field.scalar == 1 || field.scalar == 2;
        head.temporality = known ? static_cast<Temporality>(field.scalar) : Temporality::unspecified;
      } else if (field.tag() == tag(3, kVarint)) {
        head.monotonic = field.scalar != 0;
      }
    }
    if (!in.ok()) {
      return false;
    }
    out_.begin_metric(head);
    return each(data, 1, [this, kind = head.kind](std::string_view point) {
      return read_point(point, kind);
    });
  }

  bool read_point(std::string_view message, Kind kind) {
    point_.clear();
    if (kind == Kind::exponential_histogram) {
      return add();
    }
    const PointFields& fields = kind == Kind::histogram ? kHistogram
                                : kind == Kind::summary ? kSummary
                                                        : kNumber;
    ProtoReader in(message);
    ProtoField field;
    while (in.next(field)) {
      if (!read_field(field, fields)) {
        return false;
      }
    }
    return in.ok() && add();
  }

  bool add() {
    full_ = !out_.add(point_);
    return !full_;
  }

  bool read_field(const ProtoField& field, const PointFields& fields) {
    const std::uint32_t at = field.tag();
    if (at == fields.attributes) {
      return read_attribute(field.bytes);
    }
    if (at == kTimeTag) {
      point_.time_ns = field.scalar;
    } else if (at == fields.flags) {
      point_.flags = field.scalar;
    } else if (at == fields.as_double) {
      point_.value = field.as_double();
    } else if (at == fields.as_int) {
      point_.value = static_cast<double>(field.as_int64());
    } else if (at == fields.count) {
      point_.count = field.scalar;
    } else if (at == fields.sum) {
      point_.sum = field.as_double();
    } else if (at == fields.quantiles) {
      return read_quantile(field.bytes);
    } else if (field.number == fields.bucket_counts) {
      return read_words(field, [this](std::uint64_t word) { point_.add_bucket_count(word); });
    } else if (field.number == fields.bounds) {
      return read_words(
          field, [this](std::uint64_t word) { point_.add_bound(std::bit_cast<double>(word)); });
    }
    return true;
  }

  bool read_attribute(std::string_view pair) {
    std::string_view key;
    std::string_view value;
    std::string text;
    if (!split_pair(pair, key, value) || !append_any_value(value, text)) {
      return false;
    }
    point_.add_attribute(std::string(key), std::move(text));
    return true;
  }

  bool read_quantile(std::string_view message) {
    Point::Quantile quantile;
    ProtoReader in(message);
    ProtoField field;
    while (in.next(field)) {
      if (field.tag() == tag(1, kFixed64)) {
        quantile.quantile = field.as_double();
      } else if (field.tag() == tag(2, kFixed64)) {
        quantile.value = field.as_double();
      }
    }
    point_.add_quantile(quantile);
    return in.ok();
  }

  /// A repeated 64-bit number: packed, or one by one as proto2 did.
  template <class Take>
  static bool read_words(const ProtoField& field, Take take) {
    if (field.tag() == tag(field.number, kFixed64)) {
      take(field.scalar);
      return true;
    }
    if (field.tag() != tag(field.number, kBytes)) {
      return true;
    }
    ProtoReader packed(field.bytes);
    std::uint64_t word = 0;
    while (packed.next_word(word)) {
      take(word);
    }
    return packed.ok();
  }

  friend Result<> otlp::read_protobuf(std::string_view body, Translator& out);

  Translator& out_;
  Point point_;
  bool full_ = false;
};

}  // namespace

Result<> read_protobuf(std::string_view body, Translator& out) {
  ProtobufReader reader(out);
  if (reader.read(body)) {
    return {};
  }
  if (reader.full_) {
    return out.full();
  }
  return make_error(
      Errc::invalid_input,
      "the body is not a protobuf ExportMetricsServiceRequest: it ends early or is malformed");
}

}  // namespace sensus::codec::otlp
