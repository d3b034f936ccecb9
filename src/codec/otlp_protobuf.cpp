#include "otlp_readers_internal.hpp"
#include "otlp_wire_internal.hpp"

#include <bit>
#include <utility>

// Field numbers are those of opentelemetry/proto/{collector/metrics,metrics,resource,common}/v1. A
// message is walked twice where a later field decides what an earlier one means: nothing is built
// but the point at hand.

namespace sensus::codec::otlp {
namespace {

using Wire = WireReader;
constexpr auto kBytes = Wire::bytes;
constexpr auto kFixed64 = Wire::fixed64;
constexpr auto kVarint = Wire::varint;

constexpr std::uint64_t tag(std::uint32_t field, Wire::Type type) {
  return Wire::tag_of(field, type);
}

/// Where a kind of point has its fields; 0 is never a tag.
struct PointFields {
  std::uint64_t attributes = 0;
  std::uint64_t flags = 0;
  std::uint64_t as_double = 0;
  std::uint64_t as_int = 0;
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint32_t bucket_counts = 0;
  std::uint32_t bounds = 0;
  std::uint64_t quantiles = 0;
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
constexpr std::uint64_t kTimeTag = tag(3, kFixed64);

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
  static bool each(std::string_view message, std::uint32_t field, Visit visit) {
    Wire in(message);
    while (in.next()) {
      if (in.tag() == tag(field, kBytes) && !visit(in.view())) {
        return false;
      }
    }
    return in.ok();
  }

  bool read_resource_metrics(std::string_view message) {
    out_.begin_resource();
    const auto attribute = [this](std::string_view pair) { return read_resource_attribute(pair); };
    const auto resource = [&attribute](std::string_view part) { return each(part, 1, attribute); };
    const auto metric = [this](std::string_view part) { return read_metric(part); };
    const auto scope = [&metric](std::string_view part) { return each(part, 2, metric); };
    return each(message, 1, resource) && each(message, 2, scope);
  }

  static bool split_pair(std::string_view pair, std::string_view& key, std::string_view& value) {
    key = value = {};
    Wire in(pair);
    while (in.next()) {
      if (in.tag() == tag(1, kBytes)) {
        key = in.view();
      } else if (in.tag() == tag(2, kBytes)) {
        value = in.view();
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
    if (!Translator::is_identity(key)) {
      return true;
    }
    if (!append_any_value(value, text)) {
      return false;
    }
    out_.add_resource_attribute(key, std::move(text));
    return true;
  }

  bool read_metric(std::string_view message) {
    MetricHead head;
    std::string_view data;
    Wire in(message);
    while (in.next()) {
      const Kind kind = kind_of(in.tag());
      if (in.tag() == tag(1, kBytes)) {
        head.name = in.view();
      } else if (in.tag() == tag(3, kBytes)) {
        head.unit = in.view();
      } else if (kind != Kind::none) {
        head.kind = kind;
        data = in.view();
      }
    }
    return in.ok() && read_data(head, data);
  }

  static Kind kind_of(std::uint64_t field) {
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
    Wire in(data);
    while (in.next()) {
      if (in.tag() == tag(2, kVarint)) {
        const bool known = in.number() == 1 || in.number() == 2;
        head.temporality = known ? static_cast<Temporality>(in.number()) : Temporality::unspecified;
      } else if (in.tag() == tag(3, kVarint)) {
        head.monotonic = in.number() != 0;
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
    Wire in(message);
    while (in.next()) {
      if (!read_field(in, fields)) {
        return false;
      }
    }
    return in.ok() && add();
  }

  bool add() {
    full_ = !out_.add(point_);
    return !full_;
  }

  bool read_field(const Wire& in, const PointFields& fields) {
    const std::uint64_t at = in.tag();
    if (at == fields.attributes) {
      return read_attribute(in.view());
    }
    if (at == kTimeTag) {
      point_.time_ns = in.number();
    } else if (at == fields.flags) {
      point_.flags = in.number();
    } else if (at == fields.as_double) {
      point_.value = in.real();
    } else if (at == fields.as_int) {
      point_.value = static_cast<double>(static_cast<std::int64_t>(in.number()));
    } else if (at == fields.count) {
      point_.count = in.number();
    } else if (at == fields.sum) {
      point_.sum = in.real();
    } else if (at == fields.quantiles) {
      return read_quantile(in.view());
    } else if (in.field() == fields.bucket_counts) {
      return read_words(in, [this](std::uint64_t word) { point_.add_bucket_count(word); });
    } else if (in.field() == fields.bounds) {
      return read_words(
          in, [this](std::uint64_t word) { point_.add_bound(std::bit_cast<double>(word)); });
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
    Wire in(message);
    while (in.next()) {
      if (in.tag() == tag(1, kFixed64)) {
        quantile.quantile = in.real();
      } else if (in.tag() == tag(2, kFixed64)) {
        quantile.value = in.real();
      }
    }
    point_.add_quantile(quantile);
    return in.ok();
  }

  /// A repeated 64-bit number: packed, or one by one as proto2 did.
  template <class Take>
  static bool read_words(const Wire& in, Take take) {
    if (in.tag() == tag(in.field(), kFixed64)) {
      take(in.number());
      return true;
    }
    if (in.tag() != tag(in.field(), kBytes)) {
      return true;
    }
    std::string_view packed = in.view();
    if (packed.size() % 8 != 0) {
      return false;
    }
    while (!packed.empty()) {
      take(Wire::take_word(packed));
    }
    return true;
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
